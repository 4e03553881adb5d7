#ifndef STEPWELL_STORAGE_STORE_H_
#define STEPWELL_STORAGE_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stepwell/array/array.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// When a commit is acknowledged.
enum class Durability {
  kAsync,  // Once it is visible; written to disk behind, where there is one.
  kSync,   // Once it would survive a crash. FAILED_PRECONDITION from a store that cannot.
};

// What changes of a branch that is there.
struct BranchUpdate {
  std::string name;
  std::optional<Version> expected_head;  // Must be its head; absent: any.
  std::optional<Version> head;           // Absent, as those below: it stays as it is.
  absl::Time time;                       // When `head` is given: becomes the branch's update_time.
  std::optional<Labels> labels;
  std::optional<absl::Time> expire_time;
  std::optional<std::optional<RetentionPolicy>> retention;
};

// What `update` makes of `branch`.
void ApplyTo(BranchRecord& branch, const BranchUpdate& update);

struct BranchDeletion {
  std::string name;
  std::optional<Version> expected_head;  // Must be its head; absent: any.
  absl::Time time;                       // Of the commit.
  std::optional<absl::Time> expired_by;  // It must have expired by then, or is not found.
};

// What is said of a snapshot: its labels and its pin. What is absent stays as it is.
struct SnapshotUpdate {
  Version version{0};
  std::optional<Labels> labels;
  std::optional<bool> pinned;
};

// What `update` makes of the record of its snapshot.
void ApplyTo(SnapshotRecord& record, const SnapshotUpdate& update);

// What becomes visible together, or not at all. A new branch takes the name of one that has expired at its
// create_time.
struct CommitBatch {
  absl::InlinedVector<std::shared_ptr<const StoredSnapshot>, 1> snapshots;
  absl::InlinedVector<BranchRecord, 1> new_branches;
  absl::InlinedVector<BranchUpdate, 1> branch_updates;
  absl::InlinedVector<BranchDeletion, 1> branch_deletions;
  std::vector<SnapshotUpdate> snapshot_updates;
  std::vector<RequestRecord> requests;  // Remembered, each for a time that the store decides.
};

// Snapshots to drop for good, each once. Others that share their arrays, or descend from them, stay whole.
struct SnapshotDrop {
  std::vector<Version> versions;
  std::optional<RequestRecord> request;  // Remembered with it, with its freed_bytes.
  bool spares_labelled = false;          // Refuse to drop what IsLabelled.
};

// One change of where a branch points.
struct BranchMove {
  std::string branch;
  std::optional<Version> head;      // The new one; absent: the branch was deleted.
  std::optional<Version> previous;  // Absent: the branch was created.
  absl::Time time;                  // Of the commit.
};

// Is told what becomes of branches.
class BranchListener {
 public:
  virtual ~BranchListener() = default;

  // `move` was committed. Called for every move in the order in which they are, before a read can see it, one
  // call at a time, perhaps under a lock of the store that every commit takes: it must be quick, and call
  // nothing of the store.
  virtual void OnMove(BranchMove move) = 0;
};

// Version numbers [begin, end).
struct VersionBlock {
  Version begin{0};
  Version end{0};
};

// Where snapshots and branches live. Every call is asynchronous: its callback runs exactly once, inside the
// call or later on another thread, and never under a lock of the store. Commits become visible in an order in
// which a snapshot follows its parent and a head its snapshot. A store outlives its callbacks: its destructor
// waits for them. Thread-safe.
class Store {
 public:
  template <typename T>
  using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;
  using DoneCallback = absl::AnyInvocable<void(absl::Status)>;

  virtual ~Store() = default;

  // Stores `batch` as a whole. `visible` says how it was decided: when OK, every read that starts from now on
  // sees all of the batch; when not, nothing of it was or will be seen, and `durable` is never called.
  // `durable` follows once `durability` is reached; an error there says that the commit is visible but may
  // not survive a crash. ABORTED (HEAD_MOVED): a branch change expected another head. ALREADY_EXISTS
  // (BRANCH_EXISTS). NOT_FOUND (BRANCH_NOT_FOUND, SNAPSHOT_UNKNOWN, SNAPSHOT_EVICTED): what is to be changed,
  // a snapshot's parent, or a branch's new head.
  // FAILED_PRECONDITION (DURABILITY_UNAVAILABLE). RESOURCE_EXHAUSTED (MEMORY_LIMIT): the store is full.
  // ALREADY_EXISTS (REQUEST_ID_REUSED): a request_id is remembered at the time of the batch's. INTERNAL: the
  // batch changes a branch twice.
  virtual void Commit(CommitBatch batch, Durability durability, DoneCallback visible,
                      DoneCallback durable) = 0;

  // Drops all of `drop`, or nothing. `done` gets the bytes of the arrays that no snapshot refers to any more,
  // once `durability` is reached. NOT_FOUND (SNAPSHOT_UNKNOWN, SNAPSHOT_EVICTED). FAILED_PRECONDITION:
  // one is pinned (SNAPSHOT_PINNED), labelled and to be spared (SNAPSHOT_LABELLED), or a branch's head
  // (SNAPSHOT_IS_HEAD), also of one that has expired and is still there; each with metadata `version`. Or
  // DURABILITY_UNAVAILABLE.
  virtual void DropSnapshots(SnapshotDrop drop, Durability durability, Callback<int64_t> done) = 0;

  // The record under `version`. NOT_FOUND: none was ever there (SNAPSHOT_UNKNOWN), or it was dropped
  // (SNAPSHOT_EVICTED).
  virtual void ReadSnapshot(Version version, Callback<std::shared_ptr<const SnapshotRecord>> done) = 0;

  // The array at `position` as `writer` left it, whole: what it wrote, or where it appended, its chain of
  // parts put together. It is there as long as a snapshot refers to it, be `writer` itself dropped or not.
  // NOT_FOUND (SNAPSHOT_UNKNOWN, SNAPSHOT_EVICTED): it wrote none there, or that is gone.
  virtual void ReadArray(Version writer, int position, Callback<Array> done) = 0;

  // What `writer` itself left at `position`: an array, or where it appended, the rows. Otherwise as
  // ReadArray.
  virtual void ReadArrayPart(Version writer, int position, Callback<ArrayPart> done) = 0;

  // NOT_FOUND (BRANCH_NOT_FOUND).
  virtual void ReadBranch(absl::string_view name, Callback<BranchRecord> done) = 0;

  // What is remembered of the request_id at `now`; null when nothing is.
  virtual void ReadRequest(absl::string_view id, absl::Time now,
                           Callback<std::shared_ptr<const RequestRecord>> done) = 0;

  // Up to `limit` branches whose names start with `prefix` and come after `after`, in the order of names.
  virtual void ScanBranches(absl::string_view prefix, absl::string_view after, size_t limit,
                            Callback<std::vector<BranchRecord>> done) = 0;

  // The record under `version`, its parent's and so on, up to `limit` of them or to a root; without those
  // that were dropped. NOT_FOUND (SNAPSHOT_UNKNOWN, SNAPSHOT_EVICTED): `version`.
  virtual void ScanAncestors(Version version, size_t limit,
                             Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) = 0;

  // The records of up to `limit` snapshots with versions below `before`, newest first.
  virtual void ScanSnapshots(Version before, size_t limit,
                             Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) = 0;

  // `count` (at least 1) version numbers that were never handed out before, by this or an earlier process,
  // and are greater than every number handed out before.
  virtual void ReserveVersions(int64_t count, Callback<VersionBlock> done) = 0;

  // Remembers what a revision of a model is, for good: `done` comes once that would survive a crash, where
  // there is a disk. To be called before anything of that revision is committed. Recording the same again
  // changes nothing.
  virtual void RecordModelRevision(ModelRevisionRecord record, DoneCallback done) = 0;

  // Every revision that was recorded, in the order of models and then of revisions.
  virtual void ReadModelRevisions(Callback<std::vector<ModelRevisionRecord>> done) = 0;

  // Makes a copy at `path`, where nothing is yet, of all that is visible now, and perhaps of what is
  // committed meanwhile: as of one moment, and to be opened as a store of its own. It is there as a whole,
  // and would survive a crash, or not at all. `done` gets its bytes. FAILED_PRECONDITION
  // (BACKUP_UNAVAILABLE): the store keeps nothing on disk. ALREADY_EXISTS (BACKUP_EXISTS): something is at
  // `path`. RESOURCE_EXHAUSTED (QUEUE_FULL): other copies are made already. INTERNAL (BACKUP_FAILED): it
  // cannot be written.
  virtual void Checkpoint(std::string path, Callback<int64_t> done) = 0;

  // Whether the snapshot under `version` would survive a crash now.
  virtual bool IsDurable(Version version) const = 0;

  // Tells `listener`, and none that was set before, of every move that is committed from now on; null:
  // nobody. When this returns, the one before is not called any more, and may go. A new branch that takes the
  // name of one that has expired makes two moves: that one's end, and its own beginning.
  virtual void SetBranchListener(BranchListener* listener) = 0;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_STORE_H_
