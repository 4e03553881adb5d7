#include "server/rpc/rpc_server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"  // EnableDefaultHealthCheckService.

namespace stepwell::server {
namespace {

// How often a client may ask whether the server is still there.
constexpr int kMinPingPauseMillis = 10'000;

// Calls of one method that gRPC can hand over before the thread has come round to ask for more; the others
// wait within gRPC. Few, since gRPC with its assertions, as Debian builds it, looks for each event's tag in a
// list of all that are due, those of idle slots first.
constexpr int kSlotsPerMethod = 4;

// Events of one burst: enough to gain from it, few enough that the first call's answer does not wait long.
constexpr int kMaxBurst = 16;

// What cancelled calls may still take, when the grace period is over.
constexpr absl::Duration kCancelTime = absl::Seconds(2);

constexpr absl::string_view kUnix = "unix:";

// Whether `address` is a unix socket that somebody listens on. gRPC, which removes what a server that was
// killed has left, would take the name away from one that runs, too.
bool IsTakenSocket(absl::string_view address) {
  sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = {}};
  if (!absl::ConsumePrefix(&address, kUnix) || address.size() >= sizeof(name.sun_path)) return false;
  absl::ConsumePrefix(&address, "//");
  address.copy(name.sun_path, address.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return false;
  const bool connected = connect(socket, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0;
  const bool taken = connected || errno == EAGAIN;  // Its backlog is full.
  close(socket);
  return taken;
}

// Whether `address` ends in a number that is no port; gRPC would take its lowest 16 bits.
bool HasWrongPort(absl::string_view address) {
  int64_t port = 0;
  return !absl::StartsWith(address, kUnix) &&
         absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port) && (port < 0 || port > 65535);
}

absl::Status CannotListen(absl::string_view address) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on \"", address,
                   "\": the address is in use, not this machine's, or not of the form "
                   "HOST:PORT or unix:PATH"));
}

std::string WithPort(const std::string& address, int port) {
  if (absl::StartsWith(address, kUnix)) return address;
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

}  // namespace

RpcServer::RpcServer(RpcServerOptions options) : options_(std::move(options)) {}

RpcServer::~RpcServer() = default;

absl::Status RpcServer::Start() {
  for (const std::string& address : options_.listen) {
    if (IsTakenSocket(address) || HasWrongPort(address)) return CannotListen(address);
  }
  grpc::EnableDefaultHealthCheckService(false);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  std::vector<int> ports(options_.listen.size(), 0);
  for (size_t i = 0; i < options_.listen.size(); ++i) {
    builder.AddListeningPort(options_.listen[i], grpc::InsecureServerCredentials(), &ports[i]);
  }
  // Without this, two servers would share a port and its connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A stream that waits says nothing for as long as nothing happens: ask whether its client is still there,
  // and let clients ask.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             static_cast<int>(absl::ToInt64Milliseconds(options_.keepalive_time)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             static_cast<int>(absl::ToInt64Milliseconds(options_.keepalive_timeout)));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // As many as it takes.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingPauseMillis);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.max_message_bytes));
  // Health, reflection and unimplemented methods are gRPC's synchronous ones; they need little.
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 1);
  for (grpc::Service* service : services_) builder.RegisterService(service);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    queue_->Shutdown();
    void* tag;
    bool ok;
    while (queue_->Next(&tag, &ok)) {
    }
    // The first address without a port is the one that failed; a socket's port is 1.
    const auto failed = static_cast<size_t>(std::ranges::find(ports, 0) - ports.begin());
    return CannotListen(options_.listen[std::min(failed, ports.size() - 1)]);
  }
  for (size_t i = 0; i < options_.listen.size(); ++i) {
    addresses_.push_back(WithPort(options_.listen[i], ports[i]));
  }
  for (int i = 0; i < kSlotsPerMethod; ++i) {
    for (auto& add_slot : add_slot_) add_slot();
  }
  thread_ = std::thread([this] { Serve(); });
  return absl::OkStatus();
}

void RpcServer::Serve() {
  serving_thread_ = std::this_thread::get_id();
  const gpr_timespec no_wait = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  void* tag;
  bool ok;
  while (queue_->Next(&tag, &ok)) {
    int events = 0;
    const auto take_another = [&] {
      return ++events < kMaxBurst &&
             queue_->AsyncNext(&tag, &ok, no_wait) == grpc::CompletionQueue::GOT_EVENT;
    };
    do {
      do {
        static_cast<Tag*>(tag)->Proceed(ok);
      } while (take_another());
      for (Call* call : received_) call->Handle();
      received_.clear();
    } while (std::exchange(request_due_, false) && take_another());
    for (size_t i = 0; i < answered_.size(); ++i) answered_[i]->Send();  // Which may add others.
    answered_.clear();
  }
}

void RpcServer::SlotMade() {
  absl::MutexLock lock(&mutex_);
  ++slots_;
}

bool RpcServer::CallStarted() {
  absl::MutexLock lock(&mutex_);
  if (draining_) return false;
  ++running_calls_;
  return true;
}

void RpcServer::SlotGone(const Call* call, bool call_started) {
  absl::AnyInvocable<void()> unused;  // Goes after the lock.
  absl::MutexLock lock(&mutex_);
  if (const auto found = when_draining_.find(call); found != when_draining_.end()) {
    unused = std::move(found->second);
    when_draining_.erase(found);
  }
  --slots_;
  if (call_started) --running_calls_;
}

void RpcServer::WhenDraining(const Call* call, absl::AnyInvocable<void()> callback) {
  {
    absl::MutexLock lock(&mutex_);
    if (!draining_) {
      when_draining_[call] = std::move(callback);
      return;
    }
  }
  callback();
}

bool RpcServer::Stop(absl::Time deadline) {
  absl::flat_hash_map<const Call*, absl::AnyInvocable<void()>> when_draining;
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    when_draining.swap(when_draining_);
  }
  for (auto& [call, callback] : when_draining) callback();
  {
    // gRPC would cancel what comes on an open connection once it shuts down, and a client would not know that
    // it may call again: as long as calls run, refuse others here.
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithDeadline(absl::Condition(this, &RpcServer::NoCallRuns), deadline);
  }
  server_->Shutdown(absl::ToChronoTime(deadline));
  {
    // Not before the last slot has heard that no call will come: until then, the thread may be about to take
    // one that came at the last moment, and to ask a queue that is shut down for the next.
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithDeadline(absl::Condition(this, &RpcServer::NoSlotIsLeft),
                                  std::max(deadline, absl::Now()) + kCancelTime)) {
      return false;
    }
  }
  queue_->Shutdown();
  thread_.join();
  return true;
}

}  // namespace stepwell::server
