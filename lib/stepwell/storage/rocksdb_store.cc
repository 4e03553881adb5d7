#include "stepwell/storage/rocksdb_store.h"

#include <algorithm>

#include "absl/memory/memory.h"
#include "rocksdb/write_batch.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_checkpoint.h"
#include "stepwell/storage/rocksdb_decisions.h"
#include "stepwell/storage/rocksdb_keys.h"
#include "stepwell/storage/rocksdb_works.h"

namespace stepwell {
namespace {

// How many numbers are reserved ahead. A crash leaves as many out.
constexpr int64_t kReservedAhead = int64_t{1} << 20;

// A commit on one of so many snapshots that were used last does not wait for the disk; one on a head never
// does.
constexpr size_t kKnownVersions = 65536;

// Copies that may wait for the one that is made.
constexpr size_t kMaxQueuedCopies = 8;

}  // namespace

absl::StatusOr<std::unique_ptr<RocksDbStore>> RocksDbStore::Open(const RocksDbStoreOptions& options) {
  rocksdb::Env* const env = options.env == nullptr ? rocksdb::Env::Default() : options.env;
  absl::StatusOr<std::unique_ptr<RocksDbDatabase>> database = RocksDbDatabase::Open(options.path, env);
  if (!database.ok()) return database.status();
  auto store = absl::WrapUnique(new RocksDbStore(options, *std::move(database)));
  const absl::Status restored = store->Restore();
  if (!restored.ok()) return restored;
  return store;
}

RocksDbStore::RocksDbStore(const RocksDbStoreOptions& options, std::unique_ptr<RocksDbDatabase> database)
    : max_queued_reads_(options.max_queued_reads),
      database_(std::move(database)),
      requests_(options.max_requests, options.max_request_age),
      overlay_(kKnownVersions),
      copier_(/*thread_count=*/1, kMaxQueuedCopies),
      committer_(std::make_unique<Committer>(options.committer, database_.get(),
                                             static_cast<Committer::Observer*>(this))),
      readers_(std::make_unique<WorkerPool>(options.read_threads, options.max_queued_reads)) {}

absl::Status RocksDbStore::Restore() {
  absl::StatusOr<std::vector<BranchRecord>> branches = database_->ReadBranches();
  if (!branches.ok()) return branches.status();
  absl::StatusOr<std::vector<RequestRecord>> requests = database_->ReadRequests();
  if (!requests.ok()) return requests.status();
  const absl::StatusOr<Version> end = database_->ReadReservedEnd();
  if (!end.ok()) return end.status();

  auto work = std::make_unique<CommitWork>(this);
  absl::MutexLock lock(&mutex_);
  for (BranchRecord& branch : *branches) {
    ++head_counts_[branch.head];
    branches_.Restore(std::move(branch));
  }
  for (RequestRecord& request : *requests) {
    requests_.Restore(std::make_shared<const RequestRecord>(std::move(request)), &work->forgotten);
  }
  next_version_ = reserved_end_ = *end;
  if (!work->forgotten.empty()) committer_->Push(std::move(work));
  StartReserving();
  return absl::OkStatus();
}

void RocksDbStore::GiveBackNumbers() {
  absl::MutexLock lock(&mutex_);
  if (reserved_end_ == next_version_) return;
  // Where this fails, the numbers are lost, which harms nobody.
  rocksdb::WriteBatch batch;
  batch.Put(database_->family(Family::kMeta), kReservedEndKey, VersionValue(next_version_));
  if (database_->Write(batch).ok()) database_->Sync().PermitUncheckedError();
}

void RocksDbStore::Commit(CommitBatch batch, Durability durability, DoneCallback visible,
                          DoneCallback durable) {
  Decide(std::make_shared<CommitDecision>(this, std::move(batch), durability, std::move(visible),
                                          std::move(durable)),
         false);
}

void RocksDbStore::DropSnapshots(SnapshotDrop drop, Durability durability, Callback<int64_t> done) {
  Decide(std::make_shared<DropDecision>(this, std::move(drop), durability, std::move(done)), false);
}

void RocksDbStore::Decide(std::shared_ptr<Decision> decision, bool may_read) {
  while (true) {
    absl::Status status;
    bool unread = false;
    {
      absl::MutexLock lock(&mutex_);
      decision->TakeRead();
      status = decision->Decide();
      unread = status.ok() && decision->IsUnread();
      if (unread) decision->WatchUnread();
    }
    if (!unread) return decision->Tell(status);
    if (!may_read) break;
    decision->ReadUnread();
  }
  WorkerPool::Task task = [this, decision] {
    decision->ReadUnread();
    Decide(decision, true);
  };
  if (readers_->TrySchedule(task)) return;
  {
    absl::MutexLock lock(&mutex_);
    decision->TakeRead();
  }
  decision->Tell(ReadQueueFull(max_queued_reads_));
}

void RocksDbStore::OnMove(BranchMove move) {
  if (move.previous.has_value()) {
    const auto count = head_counts_.find(*move.previous);
    if (--count->second == 0) head_counts_.erase(count);
    // It is still there.
    overlay_.Know(*move.previous);
  }
  if (move.head.has_value()) ++head_counts_[*move.head];
  if (listener_ != nullptr) listener_->OnMove(std::move(move));
}

std::optional<VersionBlock> RocksDbStore::TakeVersions(int64_t count) {
  if (reserved_end_.value() - next_version_.value() < count) return std::nullopt;
  const Version begin = next_version_;
  next_version_ = Version(begin.value() + count);
  return VersionBlock{begin, next_version_};
}

void RocksDbStore::StartReserving() {
  if (reserving_) return;
  reserving_ = true;
  int64_t end = std::max(next_version_.value() + kReservedAhead, reserved_end_.value());
  for (const auto& [count, done] : waiting_) end += count;
  committer_->Push(std::make_unique<ReserveWork>(this, Version(end)));
}

void RocksDbStore::ReserveVersions(int64_t count, Callback<VersionBlock> done) {
  std::optional<VersionBlock> block;
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.empty()) block = TakeVersions(count);
    if (!block.has_value()) {
      waiting_.emplace_back(count, std::move(done));
      return StartReserving();
    }
    if (reserved_end_.value() - next_version_.value() < kReservedAhead / 2) StartReserving();
  }
  std::move(done)(*block);
}

void RocksDbStore::RecordModelRevision(ModelRevisionRecord record, DoneCallback done) {
  const absl::Status refusal = committer_->refusal();
  if (!refusal.ok()) return std::move(done)(refusal);
  committer_->Push(std::make_unique<RevisionWork>(this, std::move(record), std::move(done)));
}

void RocksDbStore::Checkpoint(std::string path, Callback<int64_t> done) {
  const absl::Status refusal = committer_->refusal();
  if (!refusal.ok()) return std::move(done)(refusal);
  auto copy = [this, path = std::move(path), done = std::move(done)](const absl::Status& synced) mutable {
    if (!synced.ok()) return std::move(done)(synced);
    auto shared_done = std::make_shared<Callback<int64_t>>(std::move(done));
    WorkerPool::Task task = [this, path = std::move(path), shared_done] {
      std::move (*shared_done)(MakeCheckpoint(*database_, path));
    };
    if (!copier_.TrySchedule(task)) std::move (*shared_done)(CopyQueueFull(kMaxQueuedCopies));
  };
  committer_->Push(std::make_unique<CheckpointWork>(this, std::move(copy)));
}

bool RocksDbStore::IsDurable(Version version) const {
  absl::MutexLock lock(&mutex_);
  return WasHandedOut(version) && !unsynced_.contains(version) && !overlay_.IsDropping(version);
}

void RocksDbStore::SetBranchListener(BranchListener* listener) {
  absl::MutexLock lock(&mutex_);
  listener_ = listener;
}

size_t RocksDbStore::branch_count() const {
  absl::MutexLock lock(&mutex_);
  return branches_.size();
}

int64_t RocksDbStore::EstimateSnapshotCount() const {
  uint64_t count = 0;
  database_->db().GetIntProperty(database_->family(Family::kSnapshots),
                                 rocksdb::DB::Properties::kEstimateNumKeys, &count);
  return static_cast<int64_t>(count);
}

void RocksDbStore::OnWritten(Committer::Works works) {
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& work : works) static_cast<Work&>(*work).OnWritten();
  }
  for (const auto& work : works) static_cast<Work&>(*work).AfterWritten();
}

void RocksDbStore::OnSettled(Committer::Works works, const absl::Status& how) {
  absl::MutexLock lock(&mutex_);
  for (const auto& work : works) static_cast<Work&>(*work).OnSettled(how);
}

void RocksDbStore::AfterSettled(Committer::Works works, const absl::Status& how) {
  for (const auto& work : works) static_cast<Work&>(*work).AfterSettled(how);
}

}  // namespace stepwell
