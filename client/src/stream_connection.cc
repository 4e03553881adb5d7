#include "client/src/stream_connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/src/status.h"

namespace stepwell::client::internal {

StreamConnection::StreamConnection(v1::StateService::StubInterface* stub, v1::StepStreamRequest open)
    : reading_(std::make_shared<v1::StepStreamResponse>()) {
  stub->async()->StepStream(&context_, this);
  AddHold();  // For what is written from outside of gRPC's callbacks.
  Send(std::move(open));
  {
    const absl::MutexLock lock(&mutex_);
    StartRead(reading_.get());
  }
  StartCall();
}

StreamConnection::~StreamConnection() {
  context_.TryCancel();
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &StreamConnection::IsOver));
}

void StreamConnection::Send(v1::StepStreamRequest message) {
  const absl::MutexLock lock(&mutex_);
  if (released_) return;
  to_send_.push_back(std::move(message));
  if (due_++ == 0) due_since_ = absl::Now();
  WriteNext();
}

void StreamConnection::SendDone() {
  const absl::MutexLock lock(&mutex_);
  sends_done_ = true;
  WriteNext();
}

// gRPC runs no callback inside these calls, so that they may be made under the lock.
void StreamConnection::WriteNext() {
  if (writing_ || released_) return;
  if (!to_send_.empty()) {
    writing_ = true;
    StartWrite(&to_send_.front());
  } else if (sends_done_) {
    StartWritesDone();
    Release();
  }
}

void StreamConnection::Release() {
  if (!std::exchange(released_, true)) RemoveHold();
}

void StreamConnection::OnWriteDone(bool ok) {
  const absl::MutexLock lock(&mutex_);
  writing_ = false;
  to_send_.pop_front();
  if (!ok) return Release();
  WriteNext();
}

void StreamConnection::OnReadDone(bool ok) {
  const absl::MutexLock lock(&mutex_);
  if (!ok) return Release();
  --due_;
  due_since_ = absl::Now();
  received_.push_back(std::exchange(reading_, std::make_shared<v1::StepStreamResponse>()));
  StartRead(reading_.get());
}

void StreamConnection::OnDone(const grpc::Status& status) {
  const absl::MutexLock lock(&mutex_);
  end_ = FromGrpcStatus(status);
}

absl::StatusOr<std::shared_ptr<const v1::StepStreamResponse>> StreamConnection::Receive(
    absl::Duration timeout) {
  const absl::Time start = absl::Now();
  const absl::MutexLock lock(&mutex_);
  while (received_.empty()) {
    if (end_.has_value()) {
      if (!end_->ok()) return *end_;
      return nullptr;
    }
    const bool is_due = due_ > 0;
    const absl::Time deadline = is_due ? std::max(start, due_since_) + timeout : absl::InfiniteFuture();
    const auto changed = [this, is_due]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return !received_.empty() || end_.has_value() || (due_ > 0) != is_due;
    };
    if (!mutex_.AwaitWithDeadline(absl::Condition(&changed), deadline)) {
      return absl::DeadlineExceededError(
          absl::StrCat("no answer came on the stream within ", absl::FormatDuration(timeout)));
    }
  }
  std::shared_ptr<const v1::StepStreamResponse> message = std::move(received_.front());
  received_.pop_front();
  return message;
}

}  // namespace stepwell::client::internal
