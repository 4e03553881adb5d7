#ifndef STEPWELL_STORAGE_VERSION_SET_H_
#define STEPWELL_STORAGE_VERSION_SET_H_

#include "absl/container/btree_map.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// A set of versions that costs memory for each gap between them, not for each version. Thread-compatible.
class VersionSet {
 public:
  bool Contains(Version version) const;
  void Insert(Version version);

 private:
  absl::btree_map<Version, Version> last_by_first_;  // Runs of versions, with both ends; no two touch.
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_VERSION_SET_H_
