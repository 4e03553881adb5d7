#ifndef STEPWELL_STORAGE_COMMITTER_H_
#define STEPWELL_STORAGE_COMMITTER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "rocksdb/write_batch.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/storage/rocksdb_database.h"

namespace stepwell {

// What is to be written in one piece.
class CommitterWork {
 public:
  virtual ~CommitterWork() = default;

  // Adds it to `batch`, on the committer's thread. An error: it has added nothing, and fails.
  virtual absl::Status AddTo(rocksdb::WriteBatch& batch) = 0;

  int64_t bytes = 0;            // What it counts for in the queue.
  bool sync = false;            // Somebody waits for it to be synced,
  bool awaited = false;         // or at least written.
  bool reads_database = false;  // AddTo does, and is to find there all that comes before it.
  bool may_fail = false;        // Where AddTo fails, nobody relies on it: else all that follows fails, too.
};

struct CommitterOptions {
  // What may wait or be under way. More than that is let in when nothing is.
  int64_t max_queued_bytes = int64_t{64} << 20;
  int64_t max_queued_works = 65536;
  // What nobody waits for is written after this time, or with the next that somebody waits for: to be woken
  // for each costs more than to write it.
  absl::Duration gather_time = absl::Milliseconds(1);
  // What is written is synced at the latest after this time, asked for or not. Zero: with each batch.
  absl::Duration sync_interval = absl::Milliseconds(100);
};

// The one thread that writes to a database: it takes whatever waits, writes it as one batch, and syncs once
// for all that ask for it. After a write or a sync that failed it writes nothing any more: what the operating
// system has done with the data is not known. Thread-safe.
class Committer {
 public:
  using Works = absl::Span<const std::unique_ptr<CommitterWork>>;

  // Is told what becomes of works, in their order and under no lock.
  class Observer {
   public:
    virtual ~Observer() = default;
    // On the committer's thread: they are in the database. What they needed for AddTo may go.
    virtual void OnWritten(Works works) = 0;
    // On the committer's thread: they would survive a crash; or, with an error, they may not, or are not even
    // written.
    virtual void OnSettled(Works works, const absl::Status& how) = 0;
    // The last that is said of them, on a thread of its own, so that what comes next is written meanwhile:
    // the same, for whoever waits for it.
    virtual void AfterSettled(Works works, const absl::Status& how) = 0;
  };

  // `database` and `observer` must outlive this.
  Committer(const CommitterOptions& options, RocksDbDatabase* database, Observer* observer);

  // Writes and syncs what waits, and tells of it.
  ~Committer();

  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // What speaks against pushing a work of `bytes` now. RESOURCE_EXHAUSTED (QUEUE_FULL). FAILED_PRECONDITION
  // (STORE_READ_ONLY).
  absl::Status Admit(int64_t bytes) const ABSL_LOCKS_EXCLUDED(mutex_);

  // FAILED_PRECONDITION (STORE_READ_ONLY): something has failed, and nothing is written any more.
  absl::Status refusal() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues `work`, admitted or not; where nothing is written any more, it fails.
  void Push(std::unique_ptr<CommitterWork> work) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Queue = std::vector<std::unique_ptr<CommitterWork>>;

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for works, or until a sync is due; false when there is nothing more to do.
  bool Take(Queue& works) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasWorkOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !queue_.empty() || stopping_; }
  bool HasUrgentWorkOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return urgent_ || stopping_; }
  void WriteAll(Queue works) ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes `batch`, which holds `works`, and leaves both empty. What fails, fails with all that is not
  // synced.
  void Write(rocksdb::WriteBatch& batch, Queue& works) ABSL_LOCKS_EXCLUDED(mutex_);
  void Sync() ABSL_LOCKS_EXCLUDED(mutex_);
  void Fail(absl::string_view detail) ABSL_LOCKS_EXCLUDED(mutex_);
  void Settle(Queue works, const absl::Status& how);
  void Release(const Queue& works) ABSL_LOCKS_EXCLUDED(mutex_);

  const CommitterOptions options_;
  RocksDbDatabase* const database_;
  Observer* const observer_;

  // The committer's thread's alone.
  Queue unsynced_;                                 // Written.
  bool sync_asked_ = false;                        // By one of them.
  std::chrono::steady_clock::time_point sync_by_;  // When there are any.
  absl::Status failed_;                            // What becomes of works.

  mutable absl::Mutex mutex_;
  Queue queue_ ABSL_GUARDED_BY(mutex_);
  int64_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool urgent_ ABSL_GUARDED_BY(mutex_) = false;     // Somebody waits for a part of it, or it is a lot.
  int64_t held_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // Of what is queued or being written,
  int64_t held_works_ ABSL_GUARDED_BY(mutex_) = 0;  // and its number.
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);    // OK until something has failed.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // Last: they use all of the above.
  WorkerPool teller_{1, 0};  // Of AfterSettled.
  std::thread thread_;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_COMMITTER_H_
