#ifndef STEPWELL_SERVER_SERVICES_MODEL_SERVICE_H_
#define STEPWELL_SERVER_SERVICES_MODEL_SERVICE_H_

#include "server/rpc/rpc_server.h"
#include "server/rpc/unary_call.h"
#include "server/services/upload_model.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/model/repository.h"
#include "stepwell/v1/model_service.grpc.pb.h"

namespace stepwell::server {

// Serves stepwell.v1.ModelService. Thread-safe.
class ModelService {
 public:
  // `models` is not owned and must outlive the calls that `rpcs` serves.
  ModelService(ModelRepository* models, const UploadOptions& uploads, RpcServer& rpcs);

 private:
  using Generated = v1::ModelService::WithRawMethod_LoadModel<v1::ModelService::WithRawMethod_UnloadModel<
      v1::ModelService::WithRawMethod_GetModel<v1::ModelService::WithRawMethod_ListModels<
          v1::ModelService::WithRawMethod_UploadModel<v1::ModelService::Service>>>>>;

  void LoadModel(std::shared_ptr<UnaryCall> call, v1::LoadModelRequest&& message);
  void UnloadModel(std::shared_ptr<UnaryCall> call, v1::UnloadModelRequest&& message);
  void GetModel(std::shared_ptr<UnaryCall> call, const v1::GetModelRequest& message);
  void ListModels(std::shared_ptr<UnaryCall> call, const v1::ListModelsRequest& message);
  void Schedule(const std::shared_ptr<UnaryCall>& call, WorkerPool::Task task);

  ModelRepository* const models_;
  Generated generated_;
  WorkerPool loader_;  // Loading takes long and waits for locks: not for the completion-queue thread.
  ModelUploads uploads_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_MODEL_SERVICE_H_
