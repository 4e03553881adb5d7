#ifndef STEPWELL_ENGINE_SNAPSHOT_WRITER_H_
#define STEPWELL_ENGINE_SNAPSHOT_WRITER_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stepwell/base/clock.h"
#include "stepwell/engine/request_ids.h"
#include "stepwell/model/model.h"
#include "stepwell/state/snapshot.h"
#include "stepwell/state/snapshot_cache.h"
#include "stepwell/state/version_allocator.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// Arrays that a snapshot writes, by their position in the state spec.
using WrittenArrays = std::vector<std::pair<int, Array>>;

// A snapshot that has no version yet.
struct SnapshotDraft {
  std::shared_ptr<const Snapshot> parent;  // Null for a root.
  std::shared_ptr<const Model> model;
  const Method* method = nullptr;  // Of `model`; null unless a method wrote it.
  Labels labels;
  // What is new, each position once; a root has all. Everything else is the parent's.
  WrittenArrays written;

  // At most one of these: a branch whose head is the parent to move, or one to create.
  std::optional<std::string> move_branch;
  std::optional<BranchRecord> new_branch;  // Without head and times, which the writer fills in.

  std::optional<RequestKey> request;  // To remember what came of it.
};

// Gives drafts their versions and commits them. Thread-safe.
class SnapshotWriter {
 public:
  using SnapshotCallback = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<const Snapshot>>)>;

  // None is owned; all must outlive this.
  SnapshotWriter(Store* store, SnapshotCache* cache, VersionAllocator* versions, const Clock* clock)
      : store_(store), cache_(cache), versions_(versions), clock_(clock) {}

  // Commits `draft`. `visible` gets the snapshot once others can see it, or why it never will be; only in the
  // first case, `durable` follows when `durability` is reached. Errors are those of Store.
  void Write(SnapshotDraft draft, Durability durability, SnapshotCallback visible,
             Store::DoneCallback durable);

 private:
  void Commit(Version version, SnapshotDraft&& draft, Durability durability, SnapshotCallback&& visible,
              Store::DoneCallback&& durable);

  Store* const store_;
  SnapshotCache* const cache_;
  VersionAllocator* const versions_;
  const Clock* const clock_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_SNAPSHOT_WRITER_H_
