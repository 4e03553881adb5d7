#include "bench/report.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace stepwell::bench {
namespace {

using Row = std::array<std::string, 8>;

std::string Value(double value, const std::string& unit) {
  return absl::StrFormat("%.*f %s", value < 1000 ? 2 : 0, value, unit);
}

}  // namespace

std::string Table(absl::Span<const Result> results) {
  std::vector<Row> rows = {{"id", "measure", "ours", "ceiling", "ratio", "spread", "goal", "holds"}};
  for (const Result& result : results) {
    rows.push_back({result.id, result.measure, Value(result.ours, result.unit),
                    Value(result.ceiling, result.unit), absl::StrFormat("%.2f", result.ratio),
                    absl::StrFormat("%.0f%%", 100 * result.spread), result.goal,
                    result.holds ? "yes" : "NO"});
  }
  std::array<size_t, 8> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string table;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&table, i == 0 ? "" : " | ", row[i],
                      i + 1 == row.size() ? "\n" : std::string(widths[i] - row[i].size(), ' '));
    }
  }
  return table;
}

std::string Json(absl::Span<const Result> results) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const Result& result : results) {
    array.push_back({{"id", result.id},
                     {"measure", result.measure},
                     {"unit", result.unit},
                     {"ours", result.ours},
                     {"ceiling", result.ceiling},
                     {"ratio", result.ratio},
                     {"spread", result.spread},
                     {"goal", result.goal},
                     {"holds", result.holds}});
  }
  return array.dump(2) + "\n";
}

}  // namespace stepwell::bench
