#ifndef STEPWELL_CLIENT_SRC_RESUMING_WATCH_H_
#define STEPWELL_CLIENT_SRC_RESUMING_WATCH_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/src/retry.h"
#include "client/src/watch_connection.h"
#include "stepwell/client/branch_watch.h"
#include "stepwell/client/options.h"

namespace stepwell::client::internal {

// What BranchWatch is: events that came and were not returned yet, over one connection after the other.
// Threads as BranchWatch says.
class ResumingWatch {
 public:
  // Both pointers must outlive this.
  ResumingWatch(v1::BranchService::StubInterface* stub, const ClientOptions* options,
                WatchBranchesRequest request, const CallOptions& call);

  // Connects for the first time, with all attempts, and waits for the first message.
  absl::Status Open() ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<BranchEvent> Next(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t position() const { return position_; }
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Nothing: not before `deadline`.
  std::optional<absl::Status> Connect(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<absl::Status> ConnectAt(const v1::WatchBranchesRequest& message, absl::Time deadline)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes over what a message tells.
  void Take(const v1::WatchBranchesResponse& message);
  // The connection ended with `status`, or there is none: when to try again, or the end.
  void Break(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until then, unless the watch is cancelled before.
  void PauseUntil(absl::Time time) ABSL_LOCKS_EXCLUDED(mutex_);

  v1::BranchService::StubInterface* const stub_;
  const ClientOptions* const options_;
  const WatchBranchesRequest request_;
  const absl::Duration timeout_;  // Of the way to a first message.

  // Of the thread in Open or Next.
  bool opened_ = false;
  int64_t position_ = 0;           // Of the last event that was returned, or where the watch started.
  int64_t position_received_ = 0;  // That of the last message.
  std::deque<BranchEvent> events_;
  std::optional<Backoff> backoff_;  // Since the connection broke.
  absl::Time next_attempt_;         // While there is no connection.

  absl::Mutex mutex_;
  std::unique_ptr<WatchConnection> connection_ ABSL_GUARDED_BY(mutex_);  // Made and ended by that thread.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell::client::internal

#endif  // STEPWELL_CLIENT_SRC_RESUMING_WATCH_H_
