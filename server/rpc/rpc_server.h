#ifndef STEPWELL_SERVER_RPC_RPC_SERVER_H_
#define STEPWELL_SERVER_RPC_RPC_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "server/rpc/call.h"

namespace stepwell::server {

struct RpcServerOptions {
  std::vector<std::string> listen;       // "HOST:PORT" (port 0: any free one) or "unix:PATH"; at least one.
  int64_t max_message_bytes = 64 << 20;  // A larger request is refused by gRPC: RESOURCE_EXHAUSTED.
  // After how long without a word a connection with calls on it is asked whether its client is still there,
  // and how long the answer may take; both at least a millisecond.
  absl::Duration keepalive_time = absl::Seconds(30);
  absl::Duration keepalive_timeout = absl::Seconds(20);
};

// A gRPC server with one completion queue and one thread on it, which runs every handler; that thread must
// never block. It works in bursts: it takes the events that are ready, then runs the handlers of the calls
// and requests that came, then sends their answers, so that the code of each of these parts stays in the
// processor's cache (docs/adr/2026-11-25-bursts.md). Beside it stands gRPC's own reflection service. Made,
// given its methods, started and stopped by one thread; what calls use is thread-safe unless it says
// otherwise.
class RpcServer {
 public:
  explicit RpcServer(RpcServerOptions options);
  ~RpcServer();  // Must be stopped, if it was started.

  // A generated service, whose asynchronous methods are then added; those that are not answer UNIMPLEMENTED.
  void AddService(grpc::Service* service) { services_.push_back(service); }

  // One method of it, whose calls are of the kind `CallT`.
  template <typename CallT>
  void AddMethod(typename CallT::Method method) {
    add_slot_.push_back([this, method = std::make_unique<const typename CallT::Method>(std::move(method))] {
      std::make_shared<CallT>(this, method.get())->Wait();
    });
  }

  // Listens and serves. UNAVAILABLE: an address cannot be listened on.
  absl::Status Start();

  // Where it listens, with real ports. Constant after Start.
  const std::vector<std::string>& addresses() const { return addresses_; }

  // Refuses new calls (UNAVAILABLE, reason DRAINING), tells those that asked (Call::WhenDraining), lets
  // running ones finish until `deadline`, then cancels them. False when one of them still runs a little after
  // that: then this object must not be destroyed, and the process should end. A call that comes in the moment
  // when nothing runs any more and the connections close may be CANCELLED by gRPC; it has not run.
  bool Stop(absl::Time deadline);

  // For Call.
  grpc::ServerCompletionQueue* queue() { return queue_.get(); }
  void SlotMade() ABSL_LOCKS_EXCLUDED(mutex_);
  bool CallStarted() ABSL_LOCKS_EXCLUDED(mutex_);  // False: the call is to be refused.
  void SlotGone(const Call* call, bool call_started) ABSL_LOCKS_EXCLUDED(mutex_);
  void WhenDraining(const Call* call, absl::AnyInvocable<void()> callback) ABSL_LOCKS_EXCLUDED(mutex_);

  // For Call on the serving thread: what is to be done in this burst. The calls live until they are answered,
  // or have got the request that they asked for.
  bool IsServingThread() const { return std::this_thread::get_id() == serving_thread_; }
  void HandleSoon(Call* call) { received_.push_back(call); }
  void RequestSoon() {
    if (IsServingThread()) request_due_ = true;
  }
  void SendSoon(Call* call) { answered_.push_back(call); }

 private:
  void Serve();
  bool NoCallRuns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_calls_ == 0; }
  bool NoSlotIsLeft() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return slots_ == 0; }

  const RpcServerOptions options_;
  std::vector<grpc::Service*> services_;
  std::vector<absl::AnyInvocable<void()>> add_slot_;  // For each method.
  std::vector<std::string> addresses_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;

  // Set by the serving thread before it hands a call to any other.
  std::thread::id serving_thread_;
  std::vector<Call*> received_;
  std::vector<Call*> answered_;
  bool request_due_ = false;  // A stream's, which gRPC may have at hand.

  absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<const Call*, absl::AnyInvocable<void()>> when_draining_ ABSL_GUARDED_BY(mutex_);
  int64_t slots_ ABSL_GUARDED_BY(mutex_) = 0;          // With a call or waiting for one.
  int64_t running_calls_ ABSL_GUARDED_BY(mutex_) = 0;  // Those that were not refused.
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_RPC_SERVER_H_
