#ifndef STEPWELL_SERVER_SERVICES_ADMIN_SERVICE_H_
#define STEPWELL_SERVER_SERVICES_ADMIN_SERVICE_H_

#include <filesystem>
#include <memory>
#include <string>

#include "server/rpc/rpc_server.h"
#include "server/rpc/unary_call.h"
#include "stepwell/base/clock.h"
#include "stepwell/storage/store.h"
#include "stepwell/v1/admin_service.grpc.pb.h"

namespace stepwell::server {

// Serves stepwell.v1.AdminService. Thread-safe.
class AdminService {
 public:
  // Backups go to `backup_dir`; empty: they are refused. `store` and `clock` are not owned and must outlive
  // the calls that `rpcs` serves.
  AdminService(Store* store, const Clock* clock, std::filesystem::path backup_dir, RpcServer& rpcs);

 private:
  using Generated = v1::AdminService::WithRawMethod_CreateBackup<v1::AdminService::Service>;

  void CreateBackup(std::shared_ptr<UnaryCall> call, v1::CreateBackupRequest&& message);

  Store* const store_;
  const Clock* const clock_;
  const std::filesystem::path backup_dir_;
  Generated generated_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_ADMIN_SERVICE_H_
