#ifndef STEPWELL_CLIENT_SRC_ASYNC_CALL_H_
#define STEPWELL_CLIENT_SRC_ASYNC_CALL_H_

#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/src/retry.h"
#include "grpcpp/alarm.h"
#include "grpcpp/client_context.h"
#include "stepwell/client/options.h"

namespace stepwell::client::internal {

class OutstandingCalls;

// One asynchronous call with all its attempts and the pauses between them. OutstandingCalls keeps it from
// Start until it has told its outcome. Thread-safe.
class AsyncCall {
 public:
  // `options` must outlive this.
  AsyncCall(const ClientOptions& options, absl::Time deadline, bool may_repeat)
      : options_(options), deadline_(deadline), backoff_(options.retry, deadline, may_repeat) {}
  virtual ~AsyncCall() = default;
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

  // Ends the call with CANCELLED, unless its outcome is there already.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

 protected:
  // To be called once for each Send, when what it sent has ended, on a thread of gRPC, as the last thing done
  // with this.
  void OnAttemptEnd(const absl::Status& status);

 private:
  friend class OutstandingCalls;

  // Starts an attempt.
  virtual void Send(grpc::ClientContext& context) = 0;

  // What to do after an attempt that is not followed by another of the same message. True: the outcome was
  // told. False: there is another message to send.
  virtual bool Finish(const absl::Status& status) = 0;

  void StartAttempt() ABSL_LOCKS_EXCLUDED(mutex_);
  void Pause(absl::Duration pause) ABSL_LOCKS_EXCLUDED(mutex_);

  const ClientOptions& options_;
  const absl::Time deadline_;
  OutstandingCalls* outstanding_ = nullptr;  // Constant after the start.
  Backoff backoff_;                          // Touched between attempts alone.

  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);  // Of the attempt, until the next.
  std::optional<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);            // Of the pause, until the next.
};

// The calls that have not told their outcome yet. Thread-safe.
class OutstandingCalls {
 public:
  OutstandingCalls() = default;
  OutstandingCalls(const OutstandingCalls&) = delete;
  OutstandingCalls& operator=(const OutstandingCalls&) = delete;

  void Start(const std::shared_ptr<AsyncCall>& call) ABSL_LOCKS_EXCLUDED(mutex_);

  // Cancels every call, also those that start from now on, and waits until each has told its outcome.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class AsyncCall;
  void Remove(AsyncCall* call) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsEmpty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return calls_.empty(); }

  absl::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<AsyncCall*, std::shared_ptr<AsyncCall>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell::client::internal

#endif  // STEPWELL_CLIENT_SRC_ASYNC_CALL_H_
