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
#include "stepwell/storage/rocksdb_database.h"

namespace stepwell {

// What is to be written in one piece.
class CommitterWork {
 public:
  virtual ~CommitterWork() = default;

  // Adds it to `batch`, on the committer's thread. An error: it has added nothing, and fails.
  virtual absl::Status AddTo(rocksdb::WriteBatch& batch) = 0;

  int64_t bytes = 0;            // What it counts for in the queue.
  bool sync = false;            // Somebody waits for it to be synced.
  bool reads_database = false;  // AddTo does, and is to find there all that comes before it.
  bool may_fail = false;        // Where AddTo fails, nobody relies on it: else all that follows fails, too.
};

struct CommitterOptions {
  // What may wait or be under way. More than that is let in when nothing is.
  int64_t max_queued_bytes = int64_t{256} << 20;
  int64_t max_queued_works = 65536;
  // What is written is synced at the latest after this time, asked for or not. Zero: with each batch.
  absl::Duration sync_interval = absl::Milliseconds(100);
};

// The one thread that writes to a database: it takes whatever waits, writes it as one batch, and syncs once
// for all that ask for it. After a write or a sync that failed it writes nothing any more: what the operating
// system has done with the data is not known. Thread-safe.
class Committer {
 public:
  using Works = absl::Span<const std::unique_ptr<CommitterWork>>;

  // Is told what becomes of works, in their order, on the committer's thread and under no lock.
  class Observer {
   public:
    virtual ~Observer() = default;
    // They are in the database. What they needed for AddTo may go.
    virtual void OnWritten(Works works) = 0;
    // They would survive a crash: the last that is said of them.
    virtual void OnSynced(Works works) = 0;
    // As OnSynced, but they may not survive, or are not even written.
    virtual void OnFailed(Works works, const absl::Status& why) = 0;
  };

  // `database` and `observer` must outlive this.
  Committer(const CommitterOptions& options, RocksDbDatabase* database, Observer* observer);

  // Writes and syncs what waits.
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
  void WriteAll(Queue works) ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes `batch`, which holds `works`, and leaves both empty. What fails, fails with all that is not
  // synced.
  void Write(rocksdb::WriteBatch& batch, Queue& works) ABSL_LOCKS_EXCLUDED(mutex_);
  void Sync() ABSL_LOCKS_EXCLUDED(mutex_);
  void Fail(absl::string_view detail) ABSL_LOCKS_EXCLUDED(mutex_);
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
  int64_t held_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // Of what is queued or being written,
  int64_t held_works_ ABSL_GUARDED_BY(mutex_) = 0;  // and its number.
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);    // OK until something has failed.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_COMMITTER_H_
