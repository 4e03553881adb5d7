#ifndef STEPWELL_CLIENT_SRC_STREAM_CONNECTION_H_
#define STEPWELL_CLIENT_SRC_STREAM_CONNECTION_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "stepwell/v1/state_service.grpc.pb.h"

namespace stepwell::client::internal {

// One StepStream call of gRPC, from its beginning to its end. Sending never waits, so that answers can be
// taken meanwhile; what was sent and not written stands in a queue, which the caller bounds. Thread-safe, but
// for Receive, which one thread calls.
class StreamConnection final : public grpc::ClientBidiReactor<v1::StepStreamRequest, v1::StepStreamResponse> {
 public:
  // Starts the call, whose first message is `open`. `stub` must outlive this.
  StreamConnection(v1::StateService::StubInterface* stub, v1::StepStreamRequest open);

  // Cancels the call and waits for its end, on a thread that is none of gRPC's: the context may hold the
  // channel.
  ~StreamConnection() override;

  // Sends a message, each of which has one answer. Nothing once the call is broken.
  void Send(v1::StepStreamRequest message) ABSL_LOCKS_EXCLUDED(mutex_);
  // No other message follows.
  void SendDone() ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits for the next message; the error that the call ended with; nothing when it ended without.
  // DEADLINE_EXCEEDED: an answer was due, and none came, for as long as `timeout`.
  absl::StatusOr<std::shared_ptr<const v1::StepStreamResponse>> Receive(absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);

  void Cancel() { context_.TryCancel(); }

 private:
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return end_.has_value(); }

  grpc::ClientContext context_;
  absl::Mutex mutex_;
  std::deque<v1::StepStreamRequest> to_send_ ABSL_GUARDED_BY(mutex_);  // The first is being written.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool sends_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;  // Nothing will be written any more.
  int64_t due_ ABSL_GUARDED_BY(mutex_) = 0;        // Answers.
  absl::Time due_since_ ABSL_GUARDED_BY(mutex_);   // The last of them came, or the first message was sent.
  std::shared_ptr<v1::StepStreamResponse> reading_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<const v1::StepStreamResponse>> received_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell::client::internal

#endif  // STEPWELL_CLIENT_SRC_STREAM_CONNECTION_H_
