#include "stepwell/storage/version_set.h"

#include <algorithm>
#include <iterator>

namespace stepwell {

bool VersionSet::Contains(Version version) const {
  const auto after = last_by_first_.upper_bound(version);
  return after != last_by_first_.begin() && std::prev(after)->second >= version;
}

void VersionSet::InsertRun(Version first, Version last) {
  // What it touches becomes part of it.
  auto run = last_by_first_.lower_bound(first);
  if (run != last_by_first_.begin() && std::prev(run)->second.value() + 1 >= first.value()) --run;
  while (run != last_by_first_.end() && run->first.value() <= last.value() + 1) {
    first = std::min(first, run->first);
    last = std::max(last, run->second);
    run = last_by_first_.erase(run);
  }
  last_by_first_.emplace(first, last);
}

}  // namespace stepwell
