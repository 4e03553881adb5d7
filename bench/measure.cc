#include "bench/measure.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace stepwell::bench {

absl::StatusOr<std::vector<MeasureInfo>> Select(std::vector<MeasureInfo> all,
                                                absl::Span<const std::string> names) {
  for (const std::string& name : names) {
    const auto begins = [&name](const MeasureInfo& info) { return absl::StartsWith(info.id, name); };
    if (std::ranges::none_of(all, begins)) {
      const auto append_id = [](std::string* out, const MeasureInfo& info) { absl::StrAppend(out, info.id); };
      return absl::InvalidArgumentError(absl::StrCat("no measure's id begins with \"", name,
                                                     "\"; expected one of ",
                                                     absl::StrJoin(all, ", ", append_id)));
    }
  }
  if (names.empty()) return all;
  std::erase_if(all, [names](const MeasureInfo& info) {
    return std::ranges::none_of(names,
                                [&](const std::string& name) { return absl::StartsWith(info.id, name); });
  });
  return all;
}

}  // namespace stepwell::bench
