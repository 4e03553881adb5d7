#ifndef STEPWELL_SERVER_SERVER_H_
#define STEPWELL_SERVER_SERVER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/config/config.h"
#include "server/health/health_service.h"
#include "server/rpc/rpc_server.h"
#include "server/services/branch_service.h"
#include "server/services/model_service.h"
#include "server/services/state_service.h"
#include "stepwell/base/clock.h"
#include "stepwell/base/periodic_task.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/repository.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell::server {

// The whole of stepwelld: repository, store, engine, services, gRPC. Made, started and stopped by one thread.
class Server {
 public:
  explicit Server(const Config& config);

  // Loads the models, listens and serves, and logs what, where and with which limits. NOT_FOUND: no model
  // repository. UNAVAILABLE: an address cannot be listened on.
  absl::Status Start();

  // Where it listens, with real ports.
  const std::vector<std::string>& addresses() const { return rpcs_.addresses(); }

  // Refuses new calls and lets running ones finish within the grace period. False when some did not: then
  // this must not be destroyed.
  bool Stop();

 private:
  const Config config_;
  SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_;
  Engine engine_;
  PeriodicTask housekeeping_;
  PeriodicTask retention_;
  RpcServer rpcs_;
  StateService states_;
  ModelService model_service_;
  BranchService branches_;
  HealthService health_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVER_H_
