#ifndef STEPWELL_CLIENT_SRC_RESUMING_STREAM_H_
#define STEPWELL_CLIENT_SRC_RESUMING_STREAM_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/src/retry.h"
#include "client/src/stream_connection.h"
#include "client/src/stream_history.h"
#include "stepwell/client/client.h"
#include "stepwell/client/stream.h"

namespace stepwell::client::internal {

// What Stream is: steps that wait for their answers, over one connection after the other. Threads as Stream
// says.
class ResumingStream {
 public:
  // All must outlive this.
  ResumingStream(Client* client, v1::StateService::StubInterface* stub, const ClientOptions* options,
                 StreamRequest request, const CallOptions& call);

  // Connects for the first time, with all attempts.
  absl::Status Open();

  Version start() const { return start_; }
  absl::Status Write(StreamStep step) ABSL_LOCKS_EXCLUDED(mutex_);
  void WritesDone() ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<absl::StatusOr<StepResult>> Read() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A step that was written and not read.
  struct Pending {
    int64_t number = 0;
    StreamStep step;
    std::optional<absl::StatusOr<StepResult>> outcome;  // Where it was found after a break.
  };

  // Tries again until the stream is connected or may not be tried any more; `status` says why it is not.
  absl::Status Reconnect(absl::Status status);
  absl::Status Connect() ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives the steps that the branch's history knows their outcomes. True: others have moved the branch.
  absl::StatusOr<bool> Settle() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status SettleUpTo(const StreamHistory::Committed& committed) ABSL_LOCKS_EXCLUDED(mutex_);

  v1::StepStreamRequest MessageOf(int64_t number, const StreamStep& step) const;
  // What a step is told by `message`; nothing when that says that the stream must be connected anew.
  std::optional<absl::StatusOr<StepResult>> OutcomeOf(
      const std::shared_ptr<const v1::StepStreamResponse>& message) const;
  // Takes the oldest step off.
  void Pop() ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsAllAnswered() ABSL_LOCKS_EXCLUDED(mutex_);
  StreamConnection* connection() ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return end_.has_value() || pending_.size() < request_.max_outstanding;
  }

  v1::StateService::StubInterface* const stub_;
  const ClientOptions* const options_;
  const StreamRequest request_;
  const absl::Duration timeout_;
  std::optional<StreamHistory> history_;  // Of a stream on a branch that resumes.

  // Of the thread that reads.
  Version start_;
  Version version_;  // Where the stream stands, as far as the answers say.
  bool opened_ = false;
  bool resumed_ = false;
  std::optional<Backoff> backoff_;  // Since the last answer.

  int64_t next_number_ = 1;  // Of the thread that writes.

  absl::Mutex mutex_;
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mutex_);
  bool writes_done_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<StreamConnection> connection_
      ABSL_GUARDED_BY(mutex_);  // Replaced by the thread that reads.
};

}  // namespace stepwell::client::internal

#endif  // STEPWELL_CLIENT_SRC_RESUMING_STREAM_H_
