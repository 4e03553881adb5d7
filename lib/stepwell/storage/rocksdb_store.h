#ifndef STEPWELL_STORAGE_ROCKSDB_STORE_H_
#define STEPWELL_STORAGE_ROCKSDB_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/storage/branch_table.h"
#include "stepwell/storage/committer.h"
#include "stepwell/storage/remembered_requests.h"
#include "stepwell/storage/rocksdb_database.h"
#include "stepwell/storage/rocksdb_overlay.h"
#include "stepwell/storage/store.h"

namespace stepwell {

struct RocksDbStoreOptions {
  // The data directory. It is made where there is none; one store at a time has it.
  std::string path;
  // What may wait to be written, beyond which commits are refused, and how soon it is synced.
  CommitterOptions committer;
  // Threads that read from the disk, and the reads that may wait for them.
  int read_threads = 2;
  size_t max_queued_reads = 4096;
  // For how many requests with a request_id, and how long, it is remembered what came of them.
  size_t max_requests = 65536;
  absl::Duration max_request_age = absl::Minutes(10);
  // Where files are; null: in the file system. It must outlive the store.
  rocksdb::Env* env = nullptr;
};

// Keeps everything in a RocksDB database. A commit is visible, and acknowledged when it asks for kAsync, once
// it is in memory; a committer writes behind. The log is in order, so what a crash of the machine loses is
// the latest of what was not acknowledged with kSync: at most what was committed in `sync_interval`, and what
// was queued. Commits and reads never wait for the disk on the caller's thread: they call back from another.
//
// Beside the errors of Store: RESOURCE_EXHAUSTED (QUEUE_FULL): more waits for the disk than may;
// (ARRAY_TOO_LARGE): an array has about 4 GiB or more.
// FAILED_PRECONDITION (STORE_READ_ONLY): a write has failed, and nothing is written any more; reads go on.
// INTERNAL (STORE_WRITE_FAILED): to those who waited for it. DATA_LOSS (ARRAY_DAMAGED, RECORD_DAMAGED): what
// is on the disk is not what was written; the rest of the store is as it was. INTERNAL (STORE_READ_FAILED).
// docs/impl.md has the layout of the database. Thread-safe.
class RocksDbStore final : public Store, private Committer::Observer {
 public:
  // Opens the store in `options.path`, or makes one. Reads branches and remembered requests, and no snapshot.
  // FAILED_PRECONDITION: the directory is in use, of a newer format, another program's, or cannot be written.
  // DATA_LOSS: it is damaged. INTERNAL: it cannot be read.
  static absl::StatusOr<std::unique_ptr<RocksDbStore>> Open(const RocksDbStoreOptions& options);

  // Writes and syncs what waits.
  ~RocksDbStore() override = default;

  void Commit(CommitBatch batch, Durability durability, DoneCallback visible, DoneCallback durable) override;
  void DropSnapshots(SnapshotDrop drop, Durability durability, Callback<int64_t> done) override;
  void ReadSnapshot(Version version, Callback<std::shared_ptr<const SnapshotRecord>> done) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadArray(Version writer, int position, Callback<Array> done) override;
  void ReadArrayPart(Version writer, int position, Callback<ArrayPart> done) override;
  void ReadBranch(absl::string_view name, Callback<BranchRecord> done) override ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadRequest(absl::string_view id, absl::Time now,
                   Callback<std::shared_ptr<const RequestRecord>> done) override ABSL_LOCKS_EXCLUDED(mutex_);
  void ScanBranches(absl::string_view prefix, absl::string_view after, size_t limit,
                    Callback<std::vector<BranchRecord>> done) override ABSL_LOCKS_EXCLUDED(mutex_);
  void ScanAncestors(Version version, size_t limit,
                     Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) override;
  void ScanSnapshots(Version before, size_t limit,
                     Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) override;
  void ReserveVersions(int64_t count, Callback<VersionBlock> done) override ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordModelRevision(ModelRevisionRecord record, DoneCallback done) override;
  void ReadModelRevisions(Callback<std::vector<ModelRevisionRecord>> done) override;
  void Checkpoint(std::string path, Callback<int64_t> done) override;
  bool IsDurable(Version version) const override ABSL_LOCKS_EXCLUDED(mutex_);
  void SetBranchListener(BranchListener* listener) override ABSL_LOCKS_EXCLUDED(mutex_);

  // How many branches there are.
  size_t branch_count() const ABSL_LOCKS_EXCLUDED(mutex_);

  // About how many snapshots there are, without looking: one whose labels were changed lately may count
  // twice.
  int64_t EstimateSnapshotCount() const;

 private:
  using Record = RocksDbOverlay::Record;
  using Records = std::vector<Record>;

  // What waits to be decided, and what is on its way to the disk: rocksdb_decisions.cc, rocksdb_works.cc.
  class Decision;
  class CommitDecision;
  class DropDecision;
  class Work;
  class CommitWork;
  class DropWork;
  class ReserveWork;
  class RevisionWork;
  class CheckpointWork;
  struct View;

  RocksDbStore(const RocksDbStoreOptions& options, std::unique_ptr<RocksDbDatabase> database);

  // Takes up what an earlier process has stored.
  absl::Status Restore() ABSL_LOCKS_EXCLUDED(mutex_);

  // Decides, first reading what that needs; on a reader's thread unless `may_read`.
  void Decide(std::shared_ptr<Decision> decision, bool may_read) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the number was given to somebody: no snapshot is under another.
  bool WasHandedOut(Version version) const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return Version(0) < version && version < next_version_;
  }
  void OnMove(BranchMove move) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The next numbers; absent: not so many are reserved.
  std::optional<VersionBlock> TakeVersions(int64_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sees to it that more numbers are reserved, for whoever waits and ahead.
  void StartReserving() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBackNumbers() ABSL_LOCKS_EXCLUDED(mutex_);

  void OnWritten(Committer::Works works) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnSettled(Committer::Works works, const absl::Status& how) override ABSL_LOCKS_EXCLUDED(mutex_);
  void AfterSettled(Committer::Works works, const absl::Status& how) override;

  // Runs `read` on a reader's thread and gives its result to `done`.
  template <typename T>
  void ReadLater(absl::AnyInvocable<absl::StatusOr<T>()> read, Callback<T> done);
  absl::StatusOr<ArrayPart> FindPart(Version writer, int position) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Array> FindArray(Version writer, int position) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Records> FindAncestors(Version version, size_t limit) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Records> FindSnapshots(Version before, size_t limit) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction; its own synchronisation.
  const size_t max_queued_reads_;
  const std::unique_ptr<RocksDbDatabase> database_;

  mutable absl::Mutex mutex_;
  BranchListener* listener_ ABSL_GUARDED_BY(mutex_) = nullptr;
  BranchTable branches_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Version, int> head_counts_ ABSL_GUARDED_BY(mutex_);  // Branches by their heads.
  RememberedRequests requests_ ABSL_GUARDED_BY(mutex_);
  RocksDbOverlay overlay_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<Version> unsynced_ ABSL_GUARDED_BY(mutex_);  // Visible, and not durable yet.
  Version next_version_ ABSL_GUARDED_BY(mutex_) = Version(1);
  Version reserved_end_ ABSL_GUARDED_BY(mutex_) = Version(1);  // Durably: no number from here on was given.
  bool reserving_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::pair<int64_t, Callback<VersionBlock>>> waiting_ ABSL_GUARDED_BY(mutex_);  // For numbers.

  // When all below has ended, the numbers that were not handed out are given back.
  struct NumbersGivenBack {
    RocksDbStore* store;
    ~NumbersGivenBack() { store->GiveBackNumbers(); }
  };
  const NumbersGivenBack numbers_given_back_{this};

  // Makes copies, one after the other; what the committer has told it to is still made when this goes.
  WorkerPool copier_;

  // Last: they use all of the above. The committer goes on until the readers have ended.
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<WorkerPool> readers_;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_STORE_H_
