#include "server/verify.h"

#include <cstdlib>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "stepwell/storage/rocksdb_verify.h"

namespace stepwell::server {
namespace {

constexpr int kExitNotOpened = 2;
constexpr absl::Duration kProgressPause = absl::Seconds(2);

void PrintTable(const VerifyReport& report, std::ostream& out) {
  out << std::left << std::setw(24) << "checked" << std::right << std::setw(14) << "number" << std::setw(12)
      << "problems"
      << "\n";
  for (const VerifyReport::Count& count : report.counts) {
    out << std::left << std::setw(24) << count.what << std::right << std::setw(14) << count.checked
        << std::setw(12) << count.problems << "\n";
  }
  for (const std::string& remark : report.remarks) out << "note: " << remark << "\n";
  for (const std::string& problem : report.problems) out << "problem: " << problem << "\n";
  if (report.problems.empty()) {
    out << "no problems: every checksum and every reference is right\n";
  } else {
    out << report.problems.size() << " problems: what they name is lost, unless a backup has it; the rest "
        << "can be read\n";
  }
}

void PrintJson(const VerifyReport& report, std::ostream& out) {
  nlohmann::ordered_json checked = nlohmann::ordered_json::array();
  for (const VerifyReport::Count& count : report.counts) {
    checked.push_back({{"what", count.what}, {"number", count.checked}, {"problems", count.problems}});
  }
  // What is not UTF-8, such as a name that was damaged, is replaced.
  const nlohmann::ordered_json json = {
      {"checked", checked}, {"notes", report.remarks}, {"problems", report.problems}};
  out << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

}  // namespace

int PrintVerification(const std::string& data_dir, bool as_json, std::ostream& out, std::ostream& err) {
  absl::Time told = absl::Now();
  const absl::StatusOr<VerifyReport> report = VerifyRocksDbStore(
      data_dir, rocksdb::Env::Default(), [&told, &err](absl::string_view what, int64_t checked) {
        if (absl::Now() - told < kProgressPause) return;
        told = absl::Now();
        err << checked << " " << std::string(what) << " checked" << std::endl;
      });
  if (!report.ok()) {
    err << "stepwelld: " << report.status().message() << "\n";
    return kExitNotOpened;
  }
  as_json ? PrintJson(*report, out) : PrintTable(*report, out);
  return report->problems.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace stepwell::server
