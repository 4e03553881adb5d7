#ifndef STEPWELL_SERVER_SERVICES_BRANCH_SERVICE_H_
#define STEPWELL_SERVER_SERVICES_BRANCH_SERVICE_H_

#include "server/rpc/rpc_server.h"
#include "server/rpc/server_stream_call.h"
#include "server/rpc/unary_call.h"
#include "stepwell/engine/engine.h"
#include "stepwell/v1/branch_service.grpc.pb.h"

namespace stepwell::server {

// Serves stepwell.v1.BranchService. Thread-safe.
class BranchService {
 public:
  // `engine` is not owned and must outlive the calls that `rpcs` serves.
  BranchService(Engine* engine, RpcServer& rpcs);

 private:
  using Service = v1::BranchService;
  using Generated = Service::WithRawMethod_CreateBranch<Service::WithRawMethod_GetBranch<
      Service::WithRawMethod_ListBranches<Service::WithRawMethod_UpdateBranch<
          Service::WithRawMethod_DeleteBranch<Service::WithRawMethod_WatchBranches<Service::Service>>>>>>;

  void CreateBranch(std::shared_ptr<UnaryCall> call, v1::CreateBranchRequest&& message);
  void GetBranch(std::shared_ptr<UnaryCall> call, v1::GetBranchRequest&& message);
  void ListBranches(std::shared_ptr<UnaryCall> call, v1::ListBranchesRequest&& message);
  void UpdateBranch(std::shared_ptr<UnaryCall> call, v1::UpdateBranchRequest&& message);
  void DeleteBranch(std::shared_ptr<UnaryCall> call, v1::DeleteBranchRequest&& message);
  void WatchBranches(std::shared_ptr<ServerStreamCall> call, v1::WatchBranchesRequest&& message);

  Engine* const engine_;
  Generated generated_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_BRANCH_SERVICE_H_
