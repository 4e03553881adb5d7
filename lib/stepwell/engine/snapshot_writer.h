#ifndef STEPWELL_ENGINE_SNAPSHOT_WRITER_H_
#define STEPWELL_ENGINE_SNAPSHOT_WRITER_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/types/span.h"
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

// A version to be made.
struct NewVersion {
  // What is new, each position once; a root has all. Everything else is the parent's.
  WrittenArrays written;
  // Where one of `written` is the parent's array with rows behind it: those rows, which alone are stored.
  WrittenArrays appended;
  int64_t step_count = 0;  // Steps that it takes from its parent.
};
using NewVersions = absl::InlinedVector<NewVersion, 1>;

using Snapshots = absl::InlinedVector<std::shared_ptr<const Snapshot>, 1>;

// Snapshots that have no version yet, to be committed as one.
struct SnapshotDraft {
  std::shared_ptr<const Snapshot> parent;  // Of the first; null for a root.
  std::shared_ptr<const Model> model;
  const Method* method = nullptr;  // Of `model`; null unless a method wrote it.
  Labels labels;                   // Of each.
  NewVersions versions;            // At least one, each the parent of the next.

  // Of what was made elsewhere: what is then taken over rather than found out.
  struct Moved {
    absl::Time create_time;
    std::string method;
    int64_t step_count = 0;
  };
  std::optional<Moved> moved;  // Then there is one version.

  // The parent's arrays at the positions of `model`'s state spec, where those are not the parent's own: then
  // the first version writes every array.
  std::optional<std::vector<Array>> laid_out;

  // At most one of these: a branch whose head is the parent to move to the last, or one to create there.
  std::optional<std::string> move_branch;
  std::optional<BranchRecord> new_branch;  // Without head and times, which the writer fills in.

  std::optional<RequestKey> request;  // To remember what came of it.
};

// A draft, and who is told what becomes of it. `visible` gets the snapshots once others can see them, or why
// they never will be; only in the first case, `durable` follows when `durability` is reached.
struct SnapshotWrite {
  using VisibleCallback = absl::AnyInvocable<void(absl::StatusOr<Snapshots>)>;

  SnapshotDraft draft;
  Durability durability = Durability::kAsync;
  VisibleCallback visible;
  Store::DoneCallback durable;
};

// Gives drafts their versions and commits them. Thread-safe.
class SnapshotWriter {
 public:
  using SnapshotsCallback = absl::AnyInvocable<void(absl::StatusOr<std::vector<Snapshots>>)>;

  // None is owned; all must outlive this.
  SnapshotWriter(Store* store, SnapshotCache* cache, VersionAllocator* versions, const Clock* clock)
      : store_(store), cache_(cache), versions_(versions), clock_(clock) {}

  // Commits the draft of `write`. Errors are those of Store.
  void Write(SnapshotWrite&& write);

  // Commits each of `writes` by itself, as Write does, but as one batch while the store refuses none of them.
  // No two move the same branch.
  void WriteEach(std::vector<SnapshotWrite>&& writes);

  // Commits all of `drafts` and `requests`, or nothing; no two of the drafts move the same branch. The
  // callbacks are as SnapshotWrite's; `visible` gets the snapshots of each draft.
  void WriteAll(std::vector<SnapshotDraft>&& drafts, std::vector<RequestRecord>&& requests,
                Durability durability, SnapshotsCallback&& visible, Store::DoneCallback&& durable);

 private:
  using Numbers = absl::InlinedVector<Version, 1>;

  // Adds numbers to `numbers` until they are `count`, or until none is at hand: then false.
  bool TakeAtHand(size_t count, Numbers& numbers);
  // Adds numbers to `numbers` until they are `count`, however long it takes.
  void Take(size_t count, Numbers&& numbers, absl::AnyInvocable<void(absl::StatusOr<Numbers>)>&& done);
  void Commit(absl::Span<const Version> numbers, SnapshotWrite&& write);
  void CommitEach(const Numbers& numbers, std::vector<SnapshotWrite>&& writes);
  void CommitAll(const Numbers& numbers, std::vector<SnapshotDraft>&& drafts,
                 std::vector<RequestRecord>&& requests, Durability durability, SnapshotsCallback&& visible,
                 Store::DoneCallback&& durable);
  // Adds what commits `draft`, under as many of `numbers` as it has versions; the snapshots that it makes.
  static Snapshots AddTo(CommitBatch& batch, absl::Span<const Version> numbers, SnapshotDraft&& draft,
                         absl::Time now);
  void PutInCache(const Snapshots& made, SnapshotCache::Epoch epoch) {
    for (const auto& snapshot : made) cache_->Put(snapshot, epoch);
  }

  Store* const store_;
  SnapshotCache* const cache_;
  VersionAllocator* const versions_;
  const Clock* const clock_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_SNAPSHOT_WRITER_H_
