#ifndef STEPWELL_ENGINE_SNAPSHOT_EXPORT_H_
#define STEPWELL_ENGINE_SNAPSHOT_EXPORT_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "stepwell/engine/branches.h"
#include "stepwell/engine/moved_history.h"
#include "stepwell/model/repository.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// Reads a state, or one with its ancestors, for another store: one snapshot after the other, with what it has
// that the one before it has not. It holds the numbers of the versions, and of arrays what one snapshot
// wrote. Every call waits for the store. Thread-compatible.
class SnapshotExport {
 public:
  // `store` and `models` must outlive this; all three the call. NOT_FOUND: version, branch, or model.
  static absl::StatusOr<std::unique_ptr<SnapshotExport>> Open(const ExportSnapshotsRequest& request,
                                                              Branches* branches, Store* store,
                                                              const ModelRepository* models);

  const MovedHistory& history() const { return history_; }

  // The next snapshot; nothing after the last. NOT_FOUND (SNAPSHOT_EVICTED): it was dropped since Open.
  absl::StatusOr<std::optional<MovedSnapshot>> Next();

 private:
  using Record = std::shared_ptr<const SnapshotRecord>;

  SnapshotExport(Store* store, const ModelRepository* models) : store_(store), models_(models) {}

  absl::Status FindAncestors();
  absl::Status AddRevision(const SnapshotOrigin& origin);
  // What `record` has at `position` that the snapshot before it has not; nothing where both share the array.
  absl::StatusOr<std::optional<MovedArray>> ReadChange(const SnapshotRecord& record, int position) const;

  Store* const store_;
  const ModelRepository* const models_;
  MovedHistory history_;
  std::vector<Version> versions_;  // Newest first; those that were told are gone.
  Record before_;                  // Null before the first.
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_SNAPSHOT_EXPORT_H_
