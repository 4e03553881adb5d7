#include "client/src/resuming_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "client/src/convert.h"
#include "client/src/status.h"
#include "stepwell/client/status.h"

namespace stepwell::client::internal {
namespace {

StreamRequest WithRoom(StreamRequest request) {
  request.max_outstanding = std::max<size_t>(request.max_outstanding, 1);
  return request;
}

bool IsHeadMoved(const absl::Status& status) { return ErrorReason(status) == "HEAD_MOVED"; }

}  // namespace

ResumingStream::ResumingStream(Client* client, v1::StateService::StubInterface* stub,
                               const ClientOptions* options, StreamRequest request, const CallOptions& call)
    : stub_(stub),
      options_(options),
      request_(WithRoom(std::move(request))),
      timeout_(Deadline(*options, call) - absl::Now()) {
  const auto* branch = std::get_if<BranchName>(&request_.state);
  if (branch != nullptr && request_.resume) history_.emplace(client, branch->value, call);
}

absl::Status ResumingStream::Open() {
  absl::Status connected = Connect();
  if (!connected.ok()) connected = Reconnect(std::move(connected));
  start_ = version_;
  return connected;
}

v1::StepStreamRequest ResumingStream::MessageOf(int64_t number, const StreamStep& step) const {
  v1::StepStreamRequest message;
  *message.mutable_step() = ToProto(step);
  if (history_.has_value()) {
    (*message.mutable_step()->mutable_labels())[StreamHistory::kLabel] = history_->LabelOf(number);
  }
  return message;
}

absl::Status ResumingStream::Write(StreamStep step) {
  const int64_t number = next_number_++;
  v1::StepStreamRequest message = MessageOf(number, step);
  const absl::MutexLock lock(&mutex_);
  if (writes_done_) return absl::FailedPreconditionError("a step is written after WritesDone");
  mutex_.Await(absl::Condition(this, &ResumingStream::HasRoom));
  if (end_.has_value()) return *end_;
  pending_.push_back({number, std::move(step), {}});
  connection_->Send(std::move(message));
  return absl::OkStatus();
}

void ResumingStream::WritesDone() {
  const absl::MutexLock lock(&mutex_);
  if (!std::exchange(writes_done_, true)) connection_->SendDone();
}

std::optional<absl::StatusOr<StepResult>> ResumingStream::Read() {
  while (true) {
    {
      const absl::MutexLock lock(&mutex_);
      if (!pending_.empty() && pending_.front().outcome.has_value()) {
        absl::StatusOr<StepResult> outcome = *std::move(pending_.front().outcome);
        pending_.pop_front();
        return outcome;
      }
      if (end_.has_value()) return std::nullopt;
    }
    const absl::StatusOr<std::shared_ptr<const v1::StepStreamResponse>> message =
        connection()->Receive(timeout_);
    absl::Status broken;
    if (message.ok() && *message != nullptr) {
      std::optional<absl::StatusOr<StepResult>> outcome = OutcomeOf(*message);
      if (outcome.has_value()) {
        if (outcome->ok()) version_ = (*outcome)->version;
        backoff_.reset();
        Pop();
        return outcome;
      }
      broken = absl::UnavailableError("a step of the connection that broke was committed meanwhile");
    } else if (IsAllAnswered() && (message.ok() || absl::IsUnavailable(message.status()))) {
      End(absl::OkStatus());
      continue;
    } else if (message.ok()) {
      broken = absl::InternalError("the server ended the stream before it had answered every step");
    } else {
      broken = message.status();
    }
    const absl::Status connected = request_.resume ? Reconnect(std::move(broken)) : broken;
    if (!connected.ok()) End(connected);
  }
}

std::optional<absl::StatusOr<StepResult>> ResumingStream::OutcomeOf(
    const std::shared_ptr<const v1::StepStreamResponse>& message) const {
  if (message->has_response()) {
    return FromProto(std::shared_ptr<const v1::StepResponse>(message, &message->response()));
  }
  absl::Status status = FromProto(message->status());
  if (status.ok()) status = absl::InternalError("the server answered a step with neither result nor error");
  // Perhaps it was a step of this stream, which the connection before had left running.
  if (resumed_ && history_.has_value() && IsHeadMoved(status)) return std::nullopt;
  return absl::StatusOr<StepResult>(std::move(status));
}

absl::Status ResumingStream::Finish() {
  WritesDone();
  while (Read().has_value()) {
  }
  const absl::MutexLock lock(&mutex_);
  return *end_;
}

void ResumingStream::Cancel() {
  const absl::MutexLock lock(&mutex_);
  if (end_.has_value()) return;
  end_ = absl::CancelledError("the stream was cancelled by its owner");
  connection_->Cancel();
}

void ResumingStream::End(const absl::Status& status) {
  const absl::MutexLock lock(&mutex_);
  if (!end_.has_value()) end_ = status;
  connection_->Cancel();
}

void ResumingStream::Pop() {
  const absl::MutexLock lock(&mutex_);
  pending_.pop_front();
}

bool ResumingStream::IsAllAnswered() {
  const absl::MutexLock lock(&mutex_);
  return writes_done_ && pending_.empty();
}

StreamConnection* ResumingStream::connection() {
  const absl::MutexLock lock(&mutex_);
  return connection_.get();
}

absl::Status ResumingStream::Reconnect(absl::Status status) {
  if (!backoff_.has_value()) {
    backoff_.emplace(opened_ ? WaitForServer(options_->retry, timeout_)
                             : Backoff(options_->retry, absl::InfiniteFuture(), true));
  }
  while (true) {
    const std::optional<absl::Duration> pause = backoff_->Next(status);
    if (!pause.has_value()) return status;
    Sleep(*options_, *pause);
    bool moved_by_others = false;
    if (opened_ && history_.has_value()) {
      const absl::StatusOr<bool> settled = Settle();
      status = settled.status();
      if (!status.ok()) continue;
      moved_by_others = *settled;
    }
    resumed_ = opened_;
    status = Connect();
    if (status.ok()) return status;
    if (resumed_ && history_.has_value() && IsHeadMoved(status) && !moved_by_others) {
      status = absl::UnavailableError(status.message());  // By whom, the history will tell.
    }
  }
}

absl::Status ResumingStream::Connect() {
  v1::StepStreamRequest message;
  v1::StepStreamRequest::Open& open = *message.mutable_open();
  open.set_durability(ToProto(request_.durability));
  std::optional<Version> expected_head = request_.expected_head;
  if (opened_ && std::holds_alternative<Version>(request_.state)) {
    *open.mutable_state() = ToProto(StateRef(version_));
  } else {
    *open.mutable_state() = ToProto(request_.state);
    if (opened_) expected_head = version_;
  }
  if (expected_head.has_value()) open.set_expected_head(expected_head->value);

  auto connection = std::make_unique<StreamConnection>(stub_, std::move(message));
  const absl::StatusOr<std::shared_ptr<const v1::StepStreamResponse>> opened = connection->Receive(timeout_);
  if (!opened.ok()) return opened.status();
  if (*opened == nullptr || (*opened)->opened() <= 0) {
    return absl::InternalError("the server answered the opening of a stream with something else");
  }
  version_ = Version{(*opened)->opened()};
  opened_ = true;

  const absl::MutexLock lock(&mutex_);
  if (end_.has_value()) return *end_;  // Cancelled meanwhile.
  for (const Pending& pending : pending_) {
    if (!pending.outcome.has_value()) connection->Send(MessageOf(pending.number, pending.step));
  }
  if (writes_done_) connection->SendDone();
  connection_.swap(connection);
  return absl::OkStatus();
}

absl::StatusOr<bool> ResumingStream::Settle() {
  const absl::StatusOr<StreamHistory::Found> found = history_->Read(version_, request_.max_outstanding);
  if (!found.ok()) return found.status();
  for (const StreamHistory::Committed& committed : found->committed) {
    const absl::Status settled = SettleUpTo(committed);
    if (!settled.ok()) return settled;
  }
  return found->moved_by_others;
}

absl::Status ResumingStream::SettleUpTo(const StreamHistory::Committed& committed) {
  // The thread that writes adds steps behind these, and takes none away.
  std::vector<Pending*> unsettled;
  {
    const absl::MutexLock lock(&mutex_);
    for (Pending& pending : pending_) {
      if (pending.number <= committed.number && !pending.outcome.has_value()) unsettled.push_back(&pending);
    }
  }
  for (Pending* pending : unsettled) {
    absl::StatusOr<StepResult> outcome = pending->number == committed.number
                                             ? history_->Replay(pending->step, committed.snapshot)
                                             : history_->ReplayUncommitted(pending->step, committed.snapshot);
    if (StreamHistory::IsUnknown(outcome.status())) return outcome.status();
    const absl::MutexLock lock(&mutex_);
    pending->outcome = std::move(outcome);
  }
  version_ = Version{committed.snapshot.version()};
  return absl::OkStatus();
}

}  // namespace stepwell::client::internal
