#include "server/rpc/rpc_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"

namespace stepwell::server {
namespace {

// Calls of one method that gRPC can hand over before the thread has come round to ask for more.
constexpr int kSlotsPerMethod = 32;

// What cancelled calls may still take, when the grace period is over.
constexpr absl::Duration kCancelTime = absl::Seconds(2);

std::string WithPort(const std::string& address, int port) {
  if (absl::StartsWith(address, "unix:")) return address;
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

}  // namespace

RpcServer::RpcServer(RpcServerOptions options) : options_(std::move(options)) {}

RpcServer::~RpcServer() = default;

void RpcServer::AddMethod(UnaryCall::Method method) {
  unary_methods_.push_back(std::make_unique<const UnaryCall::Method>(std::move(method)));
}

void RpcServer::AddMethod(ServerStreamCall::Method method) {
  stream_methods_.push_back(std::make_unique<const ServerStreamCall::Method>(std::move(method)));
}

absl::Status RpcServer::Start() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  std::vector<int> ports(options_.listen.size(), 0);
  for (size_t i = 0; i < options_.listen.size(); ++i) {
    builder.AddListeningPort(options_.listen[i], grpc::InsecureServerCredentials(), &ports[i]);
  }
  // Without this, two servers would share a port and its connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.max_message_bytes));
  // Health, reflection and unimplemented methods are gRPC's synchronous ones; they need little.
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 1);
  for (grpc::Service* service : services_) builder.RegisterService(service);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  for (size_t i = 0; i < options_.listen.size(); ++i) {
    const bool is_unix = absl::StartsWith(options_.listen[i], "unix:");
    if (server_ == nullptr || (ports[i] == 0 && !is_unix)) {
      queue_->Shutdown();
      void* tag;
      bool ok;
      while (queue_->Next(&tag, &ok)) {
      }
      return absl::UnavailableError(
          absl::StrCat("cannot listen on \"", options_.listen[i],
                       "\": the address is in use, not this machine's, or not of the form "
                       "HOST:PORT or unix:PATH"));
    }
    addresses_.push_back(WithPort(options_.listen[i], ports[i]));
  }
  for (int i = 0; i < kSlotsPerMethod; ++i) {
    for (const auto& method : unary_methods_) std::make_shared<UnaryCall>(this, method.get())->Wait();
    for (const auto& method : stream_methods_) std::make_shared<ServerStreamCall>(this, method.get())->Wait();
  }
  thread_ = std::thread([this] { Serve(); });
  return absl::OkStatus();
}

void RpcServer::Serve() {
  void* tag;
  bool ok;
  while (queue_->Next(&tag, &ok)) static_cast<Tag*>(tag)->Proceed(ok);
}

void RpcServer::SetServing(bool serving) { server_->GetHealthCheckService()->SetServingStatus(serving); }

void RpcServer::CallStarted() {
  absl::MutexLock lock(&mutex_);
  ++active_calls_;
}

void RpcServer::CallEnded() {
  absl::MutexLock lock(&mutex_);
  --active_calls_;
}

bool RpcServer::Stop(absl::Time deadline) {
  server_->Shutdown(absl::ToChronoTime(deadline));
  {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithDeadline(absl::Condition(this, &RpcServer::NoneActive),
                                  std::max(deadline, absl::Now()) + kCancelTime)) {
      return false;
    }
  }
  queue_->Shutdown();
  thread_.join();
  return true;
}

}  // namespace stepwell::server
