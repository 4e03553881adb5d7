#include "stepwell/storage/version_set.h"

#include <iterator>

namespace stepwell {

bool VersionSet::Contains(Version version) const {
  const auto after = last_by_first_.upper_bound(version);
  return after != last_by_first_.begin() && std::prev(after)->second >= version;
}

void VersionSet::Insert(Version version) {
  if (Contains(version)) return;
  auto run = last_by_first_.emplace(version, version).first;
  const auto after = std::next(run);
  if (after != last_by_first_.end() && after->first.value() == version.value() + 1) {
    run->second = after->second;
    last_by_first_.erase(after);
    run = last_by_first_.find(version);
  }
  if (run == last_by_first_.begin()) return;
  const auto before = std::prev(run);
  if (before->second.value() + 1 != version.value()) return;
  before->second = run->second;
  last_by_first_.erase(run);
}

}  // namespace stepwell
