#include "server/health/health_service.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/encode.h"
#include "server/services/call_handlers.h"

namespace stepwell::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

grpc::ByteBuffer Reply(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse reply;
  reply.set_status(status);
  return Serialize(reply);
}

}  // namespace

HealthService::HealthService(RpcServer& rpcs) {
  rpcs.AddService(&generated_);
  AddUnary<HealthCheckRequest>(rpcs, generated_, &Generated::RequestCheck,
                               [this](auto call, const auto& request) { Check(call, request); });
  AddServerStream<HealthCheckRequest>(rpcs, generated_, &Generated::RequestWatch,
                                      [this](auto call, const auto& request) { Watch(call, request); });
}

HealthService::State HealthService::state() const {
  const absl::MutexLock lock(&mutex_);
  return state_;
}

void HealthService::Check(std::shared_ptr<UnaryCall> call, const HealthCheckRequest& message) {
  if (!message.service().empty()) {
    return call->Answer(absl::NotFoundError(absl::StrCat(
        "service \"", message.service(), "\" has no health of its own; expected \"\", the server")));
  }
  call->Answer(
      Reply(state() == State::kServing ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING));
}

void HealthService::Watch(std::shared_ptr<ServerStreamCall> call, const HealthCheckRequest& message) {
  {
    const absl::MutexLock lock(&mutex_);
    std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
    watchers_.push_back(call);
  }
  const bool known = message.service().empty();
  const auto next = [this, known, told = std::optional<HealthCheckResponse::ServingStatus>()]() mutable
      -> absl::StatusOr<std::optional<grpc::ByteBuffer>> {
    const State now = state();
    auto status = HealthCheckResponse::SERVICE_UNKNOWN;
    if (known) {
      status = now == State::kServing ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
    }
    if (told != status) {
      told = status;
      return Reply(status);
    }
    if (now == State::kStopping) return absl::UnavailableError("the server is stopping");
    return std::nullopt;
  };
  call->Answer(ServerStreamCall::Source(next));
}

void HealthService::Set(State state) {
  std::vector<std::weak_ptr<ServerStreamCall>> watchers;
  {
    const absl::MutexLock lock(&mutex_);
    state_ = state;
    watchers = watchers_;
  }
  for (const auto& watcher : watchers) {
    if (const std::shared_ptr<ServerStreamCall> call = watcher.lock()) call->Resume();
  }
}

}  // namespace stepwell::server
