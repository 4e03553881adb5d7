#ifndef STEPWELL_EXAMPLES_DEMO_LOAD_BURST_H_
#define STEPWELL_EXAMPLES_DEMO_LOAD_BURST_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace stepwell::demo {

// Load on this machine for a while: threads that compute, one that writes a file and waits until the disk has
// it, one that takes memory. The file has no name: it is gone with the program, however that ends.
// Thread-compatible.
class LoadBurst {
 public:
  struct Options {
    int compute_threads = 0;                 // 0: four for each of at most 16 CPUs: tasks must wait for one.
    std::filesystem::path folder;            // Of the file; empty: where the system has such files.
    int64_t file_bytes = int64_t{64} << 20;  // Written over and over.
    int64_t memory_bytes = int64_t{256} << 20;
    absl::Duration limit = absl::Seconds(30);  // After which it ends though nobody stops it.
  };

  // What it has done.
  struct Report {
    int compute_threads = 0;
    int64_t memory_bytes = 0;
    int64_t written_bytes = 0;
    absl::Status disk;  // Why it writes no more, such as a folder that is not there or a disk that is full.
  };

  explicit LoadBurst(const Options& options);
  ~LoadBurst();
  LoadBurst(const LoadBurst&) = delete;
  LoadBurst& operator=(const LoadBurst&) = delete;

  // Ends the load: threads are joined, memory and file given back. May be called again.
  void Stop();

  Report Progress() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether a thread of it still runs.
  bool running() const { return running_ > 0; }

 private:
  bool Ended() const { return stop_.HasBeenNotified() || absl::Now() >= deadline_; }
  void Compute() const;
  void Write(const std::filesystem::path& folder, int64_t file_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void Allocate(int64_t bytes);

  const absl::Time deadline_;
  const int compute_threads_;
  absl::Notification stop_;
  std::atomic<int> running_ = 0;
  std::atomic<int64_t> memory_bytes_ = 0;
  std::atomic<int64_t> written_bytes_ = 0;
  mutable absl::Mutex mutex_;
  absl::Status disk_ ABSL_GUARDED_BY(mutex_);

  std::vector<std::thread> threads_;
};

}  // namespace stepwell::demo

#endif  // STEPWELL_EXAMPLES_DEMO_LOAD_BURST_H_
