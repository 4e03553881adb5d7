#include "stepwell/storage/committer.h"

#include <iterator>
#include <utility>

#include "stepwell/storage/errors.h"

namespace stepwell {
namespace {

// A batch is copied into the log and into memory tables as a whole.
constexpr size_t kMaxBatchBytes = 8 << 20;

// What is written at once, though nobody waits for it.
constexpr int64_t kManyBytes = 4 << 20;
constexpr size_t kManyWorks = 4096;

}  // namespace

Committer::Committer(const CommitterOptions& options, RocksDbDatabase* database, Observer* observer)
    : options_(options), database_(database), observer_(observer), thread_([this] { Run(); }) {}

Committer::~Committer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

absl::Status Committer::Admit(int64_t bytes) const {
  absl::MutexLock lock(&mutex_);
  if (!refusal_.ok()) return refusal_;
  if (held_works_ >= options_.max_queued_works) {
    return WriteQueueFull(held_works_, options_.max_queued_works, "commits");
  }
  if (held_works_ > 0 && held_bytes_ > options_.max_queued_bytes - bytes) {
    return WriteQueueFull(held_bytes_, options_.max_queued_bytes, "bytes");
  }
  return absl::OkStatus();
}

absl::Status Committer::refusal() const {
  absl::MutexLock lock(&mutex_);
  return refusal_;
}

void Committer::Push(std::unique_ptr<CommitterWork> work) {
  absl::MutexLock lock(&mutex_);
  held_bytes_ += work->bytes;
  ++held_works_;
  queued_bytes_ += work->bytes;
  urgent_ =
      urgent_ || work->sync || work->awaited || queued_bytes_ >= kManyBytes || queue_.size() >= kManyWorks;
  queue_.push_back(std::move(work));
}

void Committer::Run() {
  Queue works;
  while (Take(works)) {
    WriteAll(std::exchange(works, {}));
    const bool due = sync_asked_ || std::chrono::steady_clock::now() >= sync_by_;
    if (due && !unsynced_.empty()) Sync();
  }
}

bool Committer::Take(Queue& works) {
  absl::MutexLock lock(&mutex_);
  const absl::Condition awaited(this, &Committer::HasWorkOrStops);
  if (unsynced_.empty()) {
    mutex_.Await(awaited);
  } else {
    mutex_.AwaitWithTimeout(awaited, absl::FromChrono(sync_by_ - std::chrono::steady_clock::now()));
  }
  if (!queue_.empty()) {
    mutex_.AwaitWithTimeout(absl::Condition(this, &Committer::HasUrgentWorkOrStops), options_.gather_time);
  }
  works.swap(queue_);
  queued_bytes_ = 0;
  urgent_ = false;
  if (stopping_) sync_by_ = {};
  return !works.empty() || !unsynced_.empty() || !stopping_;
}

void Committer::WriteAll(Queue works) {
  rocksdb::WriteBatch batch;
  Queue batched;
  for (std::unique_ptr<CommitterWork>& work : works) {
    if (work->reads_database || batch.GetDataSize() >= kMaxBatchBytes) Write(batch, batched);
    const absl::Status added = failed_.ok() ? work->AddTo(batch) : failed_;
    if (added.ok()) {
      batched.push_back(std::move(work));
      continue;
    }
    if (failed_.ok() && !work->may_fail) {
      Write(batch, batched);
      Fail(added.message());
    }
    Queue one;
    one.push_back(std::move(work));
    Release(one);
    Settle(std::move(one), failed_.ok() ? added : failed_);
  }
  Write(batch, batched);
}

void Committer::Write(rocksdb::WriteBatch& batch, Queue& works) {
  if (works.empty()) return;
  const rocksdb::Status written = database_->Write(batch);
  batch.Clear();
  Release(works);
  if (unsynced_.empty()) {
    sync_by_ = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(options_.sync_interval);
  }
  if (written.ok()) observer_->OnWritten(works);
  for (std::unique_ptr<CommitterWork>& work : works) {
    sync_asked_ = sync_asked_ || work->sync;
    unsynced_.push_back(std::move(work));
  }
  works.clear();
  if (!written.ok()) Fail(written.ToString());
}

void Committer::Sync() {
  const rocksdb::Status synced = database_->Sync();
  if (!synced.ok()) return Fail(synced.ToString());
  Settle(std::exchange(unsynced_, {}), absl::OkStatus());
  sync_asked_ = false;
}

void Committer::Fail(absl::string_view detail) {
  failed_ = StoreWriteFailed(detail);
  {
    absl::MutexLock lock(&mutex_);
    refusal_ = StoreReadOnly(detail);
  }
  Settle(std::exchange(unsynced_, {}), failed_);
}

void Committer::Settle(Queue works, const absl::Status& how) {
  observer_->OnSettled(works, how);
  teller_.Schedule([this, works = std::move(works), how] { observer_->AfterSettled(works, how); });
}

void Committer::Release(const Queue& works) {
  absl::MutexLock lock(&mutex_);
  for (const std::unique_ptr<CommitterWork>& work : works) held_bytes_ -= work->bytes;
  held_works_ -= std::ssize(works);
}

}  // namespace stepwell
