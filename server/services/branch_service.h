#ifndef STEPWELL_SERVER_SERVICES_BRANCH_SERVICE_H_
#define STEPWELL_SERVER_SERVICES_BRANCH_SERVICE_H_

#include "server/rpc/rpc_server.h"
#include "stepwell/engine/engine.h"
#include "stepwell/v1/branch_service.grpc.pb.h"

namespace stepwell::server {

// Serves stepwell.v1.BranchService: CreateBranch and GetBranch. Thread-safe.
class BranchService {
 public:
  // `engine` is not owned and must outlive the calls that `rpcs` serves.
  BranchService(Engine* engine, RpcServer& rpcs);

 private:
  using Generated = v1::BranchService::WithRawMethod_CreateBranch<
      v1::BranchService::WithRawMethod_GetBranch<v1::BranchService::Service>>;

  void CreateBranch(std::shared_ptr<UnaryCall> call, v1::CreateBranchRequest&& message);
  void GetBranch(std::shared_ptr<UnaryCall> call, v1::GetBranchRequest&& message);

  Engine* const engine_;
  Generated generated_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_BRANCH_SERVICE_H_
