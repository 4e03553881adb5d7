#ifndef STEPWELL_SERVER_HEALTH_HEALTH_SERVICE_H_
#define STEPWELL_SERVER_HEALTH_HEALTH_SERVICE_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/health/health.grpc.pb.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/server_stream_call.h"
#include "server/rpc/unary_call.h"

namespace stepwell::server {

// The standard health service, for the server as a whole (the empty name). gRPC has one of its own, whose
// threads read from the same connections as the completion-queue thread and hand it what they read, on every
// call. Thread-safe.
class HealthService {
 public:
  // `rpcs` must outlive the last call.
  explicit HealthService(RpcServer& rpcs);

  // From now on the answer is SERVING.
  void StartServing() { Set(State::kServing); }

  // From now on the answer is NOT_SERVING; every Watch is told so and ended.
  void StopServing() { Set(State::kStopping); }

 private:
  using Generated = grpc::health::v1::Health::WithRawMethod_Check<
      grpc::health::v1::Health::WithRawMethod_Watch<grpc::health::v1::Health::Service>>;
  enum class State { kStarting, kServing, kStopping };

  void Check(std::shared_ptr<UnaryCall> call, const grpc::health::v1::HealthCheckRequest& message);
  void Watch(std::shared_ptr<ServerStreamCall> call, const grpc::health::v1::HealthCheckRequest& message)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Set(State state) ABSL_LOCKS_EXCLUDED(mutex_);
  State state() const ABSL_LOCKS_EXCLUDED(mutex_);

  Generated generated_;
  mutable absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kStarting;
  std::vector<std::weak_ptr<ServerStreamCall>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_HEALTH_HEALTH_SERVICE_H_
