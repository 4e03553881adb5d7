#include "client/src/async_call.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"

namespace stepwell::client::internal {

void AsyncCall::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (context_.has_value()) context_->TryCancel();
  if (alarm_.has_value()) alarm_->Cancel();
}

void AsyncCall::OnAttemptEnd(const absl::Status& status) {
  if (const std::optional<absl::Duration> pause = backoff_.Next(status); pause.has_value()) {
    Pause(*pause);
  } else if (Finish(status)) {
    {
      absl::MutexLock lock(&mutex_);
      // It holds the channel, which must not end on this thread, a thread of gRPC that its end would wait
      // for.
      context_.reset();
    }
    outstanding_->Remove(this);
  } else {
    StartAttempt();
  }
}

void AsyncCall::StartAttempt() {
  grpc::ClientContext* context = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    context = &context_.emplace();
    context->set_deadline(absl::ToChronoTime(deadline_));
    if (cancelled_) context->TryCancel();  // Then gRPC ends the attempt at once.
  }
  Send(*context);
}

void AsyncCall::Pause(absl::Duration pause) {
  if (options_.sleep != nullptr) {
    options_.sleep(pause);
    StartAttempt();
    return;
  }
  absl::MutexLock lock(&mutex_);
  // A call that is cancelled does not wait; its next attempt tells it so.
  const absl::Time end = cancelled_ ? absl::Now() : absl::Now() + pause;
  alarm_.emplace().Set(absl::ToChronoTime(end), [this](bool) { StartAttempt(); });
}

void OutstandingCalls::Start(const std::shared_ptr<AsyncCall>& call) {
  call->outstanding_ = this;
  bool ending = false;
  {
    absl::MutexLock lock(&mutex_);
    calls_.emplace(call.get(), call);
    ending = ending_;
  }
  if (ending) call->Cancel();
  call->StartAttempt();
}

void OutstandingCalls::End() {
  std::vector<std::shared_ptr<AsyncCall>> calls;
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    for (const auto& [key, call] : calls_) calls.push_back(call);
  }
  for (const std::shared_ptr<AsyncCall>& call : calls) call->Cancel();
  calls.clear();  // Before the wait, after which nothing is left.
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &OutstandingCalls::IsEmpty));
}

void OutstandingCalls::Remove(AsyncCall* call) {
  std::shared_ptr<AsyncCall> last;  // May go with this, outside the lock.
  absl::MutexLock lock(&mutex_);
  const auto found = calls_.find(call);
  last = std::move(found->second);
  calls_.erase(found);
}

}  // namespace stepwell::client::internal
