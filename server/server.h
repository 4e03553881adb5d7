#ifndef STEPWELL_SERVER_SERVER_H_
#define STEPWELL_SERVER_SERVER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/config/config.h"
#include "server/health/health_service.h"
#include "server/rpc/rpc_server.h"
#include "server/services/admin_service.h"
#include "server/services/branch_service.h"
#include "server/services/model_service.h"
#include "server/services/state_service.h"
#include "stepwell/base/clock.h"
#include "stepwell/base/periodic_task.h"
#include "stepwell/engine/engine.h"
#include "stepwell/engine/package_sweep.h"
#include "stepwell/model/package_archive.h"
#include "stepwell/model/repository.h"
#include "stepwell/storage/store.h"

namespace stepwell::server {

// The whole of stepwelld: repository, store, engine, services, gRPC. Made, started and stopped by one thread.
class Server {
 public:
  // Opens the store, and the archive of packages beside it. Errors are those of RocksDbStore::Open and
  // PackageArchive::Open.
  static absl::StatusOr<std::unique_ptr<Server>> Open(const Config& config);

  // Loads the models, listens and serves, and logs what, where and with which limits. NOT_FOUND: no model
  // repository. UNAVAILABLE: an address cannot be listened on.
  absl::Status Start();

  // Where it listens, with real ports.
  const std::vector<std::string>& addresses() const { return rpcs_.addresses(); }

  // Refuses new calls and lets running ones finish within the grace period. False when some did not: then
  // this must not be destroyed.
  bool Stop();

 private:
  // `kept` says where `store` keeps states, for the log. Null `archive`: no package is kept.
  Server(const Config& config, std::unique_ptr<Store> store, std::unique_ptr<PackageArchive> archive,
         std::string kept);

  const Config config_;
  const std::string kept_;
  SystemClock clock_;
  const std::unique_ptr<Store> store_;
  const std::unique_ptr<PackageArchive> archive_;
  ModelRepository models_;
  Engine engine_;
  PackageSweep package_sweep_;
  PeriodicTask housekeeping_;
  PeriodicTask retention_;
  PeriodicTask packages_;
  RpcServer rpcs_;
  StateService states_;
  ModelService model_service_;
  BranchService branches_;
  AdminService admin_;
  HealthService health_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVER_H_
