#include "server/services/model_service.h"

#include <utility>

#include "server/convert/encode.h"
#include "server/convert/page.h"
#include "server/services/call_handlers.h"
#include "stepwell/engine/errors.h"

namespace stepwell::server {
namespace {

constexpr int kLoaderThreads = 1;
constexpr size_t kMaxWaitingLoads = 64;

}  // namespace

ModelService::ModelService(ModelRepository* models, const UploadOptions& uploads, RpcServer& rpcs)
    : models_(models), loader_(kLoaderThreads, kMaxWaitingLoads), uploads_(models, uploads, &loader_) {
  rpcs.AddService(&generated_);
  AddUnary<v1::LoadModelRequest>(rpcs, generated_, &Generated::RequestLoadModel,
                                 [this](auto call, auto request) { LoadModel(call, std::move(request)); });
  AddUnary<v1::UnloadModelRequest>(
      rpcs, generated_, &Generated::RequestUnloadModel,
      [this](auto call, auto request) { UnloadModel(call, std::move(request)); });
  AddUnary<v1::GetModelRequest>(rpcs, generated_, &Generated::RequestGetModel,
                                [this](auto call, const auto& request) { GetModel(call, request); });
  AddUnary<v1::ListModelsRequest>(rpcs, generated_, &Generated::RequestListModels,
                                  [this](auto call, const auto& request) { ListModels(call, request); });
  AddClientStream(rpcs, generated_, &Generated::RequestUploadModel,
                  [this](auto call) { uploads_.Serve(std::move(call)); });
}

void ModelService::Schedule(const std::shared_ptr<UnaryCall>& call, WorkerPool::Task task) {
  if (!loader_.TrySchedule(task)) call->Answer(QueueFull("the queue of models to load", kMaxWaitingLoads));
}

void ModelService::LoadModel(std::shared_ptr<UnaryCall> call, v1::LoadModelRequest&& message) {
  Schedule(call, [this, call, name = message.name()] {
    const absl::Status loaded = models_->Load(name).status();
    if (!loaded.ok()) return call->Answer(loaded);
    const absl::StatusOr<ModelStatus> status = models_->Status(name);
    if (!status.ok()) return call->Answer(status.status());
    v1::LoadModelResponse reply;
    *reply.mutable_model() = Encode(*status);
    call->Answer(Serialize(reply));
  });
}

void ModelService::UnloadModel(std::shared_ptr<UnaryCall> call, v1::UnloadModelRequest&& message) {
  const auto revision = message.has_revision() ? std::make_optional(message.revision()) : std::nullopt;
  Schedule(call, [this, call, name = message.name(), revision] {
    const absl::Status unloaded = models_->Unload(name, revision);
    if (!unloaded.ok()) return call->Answer(unloaded);
    call->Answer(Serialize(v1::UnloadModelResponse()));
  });
}

void ModelService::GetModel(std::shared_ptr<UnaryCall> call, const v1::GetModelRequest& message) {
  absl::StatusOr<ModelStatus> status = models_->Status(message.name());
  if (!status.ok()) return call->Answer(status.status());
  if (message.has_revision()) {
    absl::StatusOr<std::shared_ptr<const Model>> model = models_->Find(message.name(), message.revision());
    if (!model.ok()) {
      WorkerPool::Task loaded = [this, call, message] { GetModel(call, message); };
      if (!models_->LoadKept(message.name(), message.revision(), loaded)) call->Answer(model.status());
      return;
    }
    status->state = ModelState::kReady;
    status->error = absl::OkStatus();
    status->model = *std::move(model);
  }
  v1::GetModelResponse reply;
  *reply.mutable_model() = Encode(*status);
  call->Answer(Serialize(reply));
}

void ModelService::ListModels(std::shared_ptr<UnaryCall> call, const v1::ListModelsRequest& message) {
  const absl::StatusOr<Page> page = DecodePage(message);
  if (!page.ok()) return call->Answer(page.status());
  const int page_size = static_cast<int>(page->size);
  v1::ListModelsResponse reply;
  for (const ModelStatus& status : models_->List()) {  // In the order of names.
    if (status.name <= page->after) continue;
    if (reply.models_size() == page_size) {
      reply.set_next_page_token(EncodePageToken(message, reply.models(page_size - 1).name()));
      break;
    }
    *reply.add_models() = Encode(status);
  }
  call->Answer(Serialize(reply));
}

}  // namespace stepwell::server
