#ifndef STEPWELL_STORAGE_VERSION_SET_H_
#define STEPWELL_STORAGE_VERSION_SET_H_

#include "absl/container/btree_map.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// A set of versions that costs memory for each gap between them, not for each version. Thread-compatible.
class VersionSet {
 public:
  bool Contains(Version version) const;
  void Insert(Version version) { InsertRun(version, version); }
  void InsertRun(Version first, Version last);

  // Runs of versions, with both ends, by the first; no two touch.
  const absl::btree_map<Version, Version>& runs() const { return last_by_first_; }

 private:
  absl::btree_map<Version, Version> last_by_first_;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_VERSION_SET_H_
