#include "client/src/resuming_watch.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "stepwell/client/status.h"

namespace stepwell::client::internal {
namespace {

BranchMove MoveOf(const v1::WatchBranchesResponse::Move& message) {
  BranchMove move{.branch = message.branch(), .position = message.position()};
  if (message.has_version()) move.head = Version{message.version()};
  if (message.has_previous_head()) move.previous_head = Version{message.previous_head()};
  move.time = absl::FromUnixSeconds(message.time().seconds()) + absl::Nanoseconds(message.time().nanos());
  return move;
}

// Whether the server has no place for another watch.
bool IsFull(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && ErrorReason(status) == "WATCH_LIMIT";
}

absl::Status NoEventIn(absl::Duration timeout) {
  return absl::DeadlineExceededError(
      absl::StrCat("none of the watched branches moved within ", absl::FormatDuration(timeout)));
}

}  // namespace

ResumingWatch::ResumingWatch(v1::BranchService::StubInterface* stub, const ClientOptions* options,
                             WatchBranchesRequest request, const CallOptions& call)
    : stub_(stub),
      options_(options),
      request_(std::move(request)),
      timeout_(Deadline(*options, call) - absl::Now()) {}

absl::Status ResumingWatch::Open() {
  const absl::Time deadline = absl::Now() + timeout_;
  Backoff backoff(options_->retry, deadline, true);
  while (true) {
    absl::Status status = Connect(deadline).value_or(absl::DeadlineExceededError(
        absl::StrCat("the server did not begin a watch within ", absl::FormatDuration(timeout_))));
    const std::optional<absl::Duration> pause = backoff.Next(status);
    if (!pause.has_value()) return status;
    Sleep(*options_, *pause);
  }
}

absl::StatusOr<BranchEvent> ResumingWatch::Next(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (events_.empty()) {
    WatchConnection* connection = nullptr;
    {
      const absl::MutexLock lock(&mutex_);
      if (end_.has_value()) return *end_;
      connection = connection_.get();
    }
    if (connection != nullptr) {
      const auto received = connection->Receive(deadline);
      if (!received.has_value()) return NoEventIn(timeout);
      if (received->ok()) {
        Take(**received);
      } else {
        Break(received->status());
      }
      continue;
    }
    PauseUntil(std::min(next_attempt_, deadline));
    const absl::Time now = absl::Now();
    if (now < next_attempt_ && now >= deadline) return NoEventIn(timeout);
    if (now < next_attempt_) continue;  // Cancelled.
    const std::optional<absl::Status> connected = Connect(std::min(deadline, now + timeout_));
    if (connected.has_value()) {
      if (connected->ok()) {
        backoff_.reset();
      } else {
        Break(*connected);
      }
    } else if (absl::Now() >= deadline) {
      return NoEventIn(timeout);
    } else {
      Break(absl::UnavailableError(
          absl::StrCat("the server did not take up the watch within ", absl::FormatDuration(timeout_))));
    }
  }
  BranchEvent event = std::move(events_.front());
  events_.pop_front();
  if (events_.empty()) {
    position_ = position_received_;
  } else if (const auto* move = std::get_if<BranchMove>(&event)) {
    position_ = move->position;
  } else {
    position_ = std::get<MissedMoves>(event).until_position;
  }
  return event;
}

void ResumingWatch::Cancel() {
  const absl::MutexLock lock(&mutex_);
  if (end_.has_value()) return;
  end_ = absl::CancelledError("the watch was cancelled by its owner");
  if (connection_ != nullptr) connection_->Cancel();
}

std::optional<absl::Status> ResumingWatch::Connect(absl::Time deadline) {
  v1::WatchBranchesRequest message;
  if (const auto* name = std::get_if<BranchName>(&request_.branches)) {
    message.set_name(name->value);
  } else {
    message.set_prefix(std::get<BranchPrefix>(request_.branches).value);
  }
  if (opened_) {
    message.set_after_position(position_received_);
  } else if (const auto* version = std::get_if<Version>(&request_.after)) {
    message.set_after_version(version->value);
  } else if (const auto* position = std::get_if<MovePosition>(&request_.after)) {
    message.set_after_position(position->value);
  }
  std::optional<absl::Status> connected = ConnectAt(message, deadline);
  if (!opened_ || !connected.has_value() || !absl::IsOutOfRange(*connected)) return connected;
  // It was told of once, and is not remembered any more: from now on, then.
  message.clear_start();
  events_.push_back(MissedMoves{position_received_, position_received_});
  connected = ConnectAt(message, deadline);
  if (connected.has_value() && connected->ok()) {
    std::get<MissedMoves>(events_.front()).until_position = position_received_;
  } else {
    events_.pop_front();
  }
  return connected;
}

std::optional<absl::Status> ResumingWatch::ConnectAt(const v1::WatchBranchesRequest& message,
                                                     absl::Time deadline) {
  WatchConnection* connection = nullptr;
  {
    const absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return *end_;  // Cancelled meanwhile.
    connection_ = std::make_unique<WatchConnection>(stub_, message);
    connection = connection_.get();
  }
  const std::optional<absl::StatusOr<v1::WatchBranchesResponse>> first = connection->Receive(deadline);
  if (first.has_value() && first->ok()) {
    Take(**first);
    return absl::OkStatus();
  }
  std::unique_ptr<WatchConnection> ended;  // Without the lock: it waits.
  const absl::MutexLock lock(&mutex_);
  ended.swap(connection_);
  if (!first.has_value()) return std::nullopt;
  return first->status();
}

void ResumingWatch::Take(const v1::WatchBranchesResponse& message) {
  if (!opened_) {
    position_ = message.has_missed()       ? message.missed().after_position()
                : !message.moves().empty() ? message.moves(0).position() - 1
                                           : message.position();
  }
  opened_ = true;
  if (message.has_missed()) {
    events_.push_back(MissedMoves{message.missed().after_position(), message.missed().until_position()});
  }
  for (const auto& move : message.moves()) events_.push_back(MoveOf(move));
  position_received_ = message.position();
  if (events_.empty()) position_ = position_received_;
}

void ResumingWatch::Break(const absl::Status& status) {
  std::unique_ptr<WatchConnection> ended;
  std::optional<absl::Duration> pause;
  if (request_.resume) {
    // A server that has not noticed that the connection broke holds the place that the watch had.
    if (!backoff_.has_value()) backoff_.emplace(WaitForServer(options_->retry, timeout_));
    pause = backoff_->Next(IsFull(status) ? absl::UnavailableError(status.message()) : status);
  }
  next_attempt_ = absl::Now();
  if (pause.has_value() && options_->sleep != nullptr) {
    Sleep(*options_, *pause);
  } else {
    next_attempt_ += pause.value_or(absl::ZeroDuration());
  }
  const absl::MutexLock lock(&mutex_);
  ended.swap(connection_);
  if (!end_.has_value() && !pause.has_value()) end_ = status;
}

void ResumingWatch::PauseUntil(absl::Time time) {
  const absl::MutexLock lock(&mutex_);
  const auto is_over = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return end_.has_value(); };
  mutex_.AwaitWithDeadline(absl::Condition(&is_over), time);
}

}  // namespace stepwell::client::internal
