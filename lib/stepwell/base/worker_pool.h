#ifndef STEPWELL_BASE_WORKER_POOL_H_
#define STEPWELL_BASE_WORKER_POOL_H_

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace stepwell {

// A fixed number of threads that run tasks in the order they came, from a queue of bounded length.
// Thread-safe.
class WorkerPool {
 public:
  using Task = absl::AnyInvocable<void()>;

  // Starts `thread_count` (at least 1) threads. At most `max_queued` tasks wait at a time.
  WorkerPool(int thread_count, size_t max_queued);

  // Runs what is queued, then joins the threads.
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Queues `task` and returns true; returns false, and leaves `task` as it was, when the queue is full.
  [[nodiscard]] bool TrySchedule(Task& task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues `task` however full the queue is: for work that goes on from what was let in before.
  void Schedule(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasWorkOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !tasks_.empty() || stopping_; }

  const size_t max_queued_;
  std::vector<std::thread> threads_;  // Constant after construction.

  absl::Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace stepwell

#endif  // STEPWELL_BASE_WORKER_POOL_H_
