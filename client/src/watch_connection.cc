#include "client/src/watch_connection.h"

#include <utility>

#include "client/src/status.h"

namespace stepwell::client::internal {

WatchConnection::WatchConnection(v1::BranchService::StubInterface* stub, v1::WatchBranchesRequest request)
    : request_(std::move(request)) {
  stub->async()->WatchBranches(&context_, &request_, this);
  AddHold();  // For what is read from outside of gRPC's callbacks.
  {
    const absl::MutexLock lock(&mutex_);
    StartRead(&message_);
  }
  StartCall();
}

WatchConnection::~WatchConnection() {
  context_.TryCancel();
  const absl::MutexLock lock(&mutex_);
  Release();
  mutex_.Await(absl::Condition(this, &WatchConnection::IsOver));
}

std::optional<absl::StatusOr<v1::WatchBranchesResponse>> WatchConnection::Receive(absl::Time deadline) {
  const absl::MutexLock lock(&mutex_);
  if (!mutex_.AwaitWithDeadline(absl::Condition(this, &WatchConnection::HasNews), deadline)) {
    return std::nullopt;
  }
  if (!has_message_) return *end_;
  v1::WatchBranchesResponse message;
  message.Swap(&message_);
  has_message_ = false;
  if (!released_) StartRead(&message_);  // gRPC runs no callback inside this.
  return message;
}

void WatchConnection::Release() {
  if (!std::exchange(released_, true)) RemoveHold();
}

void WatchConnection::OnReadDone(bool ok) {
  const absl::MutexLock lock(&mutex_);
  if (!ok) return Release();
  has_message_ = true;
}

void WatchConnection::OnDone(const grpc::Status& status) {
  const absl::MutexLock lock(&mutex_);
  end_ = FromGrpcStatus(status);
  if (end_->ok())
    end_ = absl::InternalError("the server ended a watch, which it should not, without an error");
}

}  // namespace stepwell::client::internal
