#ifndef STEPWELL_CLIENT_SRC_RPCS_H_
#define STEPWELL_CLIENT_SRC_RPCS_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/src/convert.h"
#include "client/src/rpc.h"
#include "stepwell/client/types.h"

namespace stepwell::client {

// Every unary RPC that the clients offer, from what a caller gives.

using Models = v1::ModelService::StubInterface;
using States = v1::StateService::StubInterface;
using Branches = v1::BranchService::StubInterface;
using Admin = v1::AdminService::StubInterface;

// The outcome of a reply that holds one thing.
template <typename ReplyT, typename Result>
auto Only(Result* (ReplyT::*field)()) {
  return [field](const std::shared_ptr<ReplyT>& reply) -> absl::StatusOr<Result> {
    return std::move(*(reply.get()->*field)());
  };
}

// The outcome that is the reply itself.
template <typename ReplyT>
absl::StatusOr<ReplyT> Whole(const std::shared_ptr<ReplyT>& reply) {
  return std::move(*reply);
}

inline auto LoadModelRpc(const std::string& name) {
  v1::LoadModelRequest message;
  message.set_name(name);
  // Loading what is loaded changes nothing: it may be repeated as a read may.
  return MakeRpc(&Stubs::models, &Models::LoadModel, &Models::async_interface::LoadModel, true,
                 std::move(message), Only(&v1::LoadModelResponse::mutable_model));
}

inline auto UnloadModelRpc(const ModelRef& model) {
  v1::UnloadModelRequest message;
  message.set_name(model.name);
  if (model.revision.has_value()) message.set_revision(*model.revision);
  return MakeRpc(&Stubs::models, &Models::UnloadModel, &Models::async_interface::UnloadModel, false,
                 std::move(message),
                 [](const std::shared_ptr<v1::UnloadModelResponse>&) { return absl::OkStatus(); });
}

inline auto GetModelRpc(const ModelRef& model) {
  v1::GetModelRequest message;
  message.set_name(model.name);
  if (model.revision.has_value()) message.set_revision(*model.revision);
  return MakeRpc(&Stubs::models, &Models::GetModel, &Models::async_interface::GetModel, true,
                 std::move(message), Only(&v1::GetModelResponse::mutable_model));
}

inline auto ListModelsRpc() {
  return MakePagedRpc(
      &Stubs::models, &Models::ListModels, &Models::async_interface::ListModels, true, {},
      [models = std::vector<v1::ModelInfo>()](v1::ListModelsRequest& message,
                                              const std::shared_ptr<v1::ListModelsResponse>& reply) mutable
      -> std::optional<absl::StatusOr<std::vector<v1::ModelInfo>>> {
        for (v1::ModelInfo& model : *reply->mutable_models()) models.push_back(std::move(model));
        message.set_page_token(reply->next_page_token());
        if (!message.page_token().empty()) return std::nullopt;
        return std::move(models);
      });
}

inline auto MakeStateRpc(const MakeStateRequest& request) {
  return MakeRpc(&Stubs::states, &States::MakeState, &States::async_interface::MakeState,
                 !request.request_id.empty(), ToProto(request), Whole<v1::MakeStateResponse>);
}

inline auto StepRpc(const StepRequest& request) {
  return MakeRpc(&Stubs::states, &States::Step, &States::async_interface::Step, !request.request_id.empty(),
                 ToProto(request),
                 [](std::shared_ptr<const v1::StepResponse> reply) { return FromProto(std::move(reply)); });
}

inline auto BatchStepRpc(const BatchStepRequest& request) {
  return MakeRpc(&Stubs::states, &States::BatchStep, &States::async_interface::BatchStep,
                 !request.request_id.empty(), ToProto(request),
                 [](const std::shared_ptr<v1::BatchStepResponse>& reply) {
                   return FromProto(std::shared_ptr<const v1::BatchStepResponse>(reply));
                 });
}

inline auto ScanRpc(const ScanRequest& request) {
  return MakeRpc(&Stubs::states, &States::Scan, &States::async_interface::Scan, !request.request_id.empty(),
                 ToProto(request),
                 [](std::shared_ptr<const v1::ScanResponse> reply) { return FromProto(std::move(reply)); });
}

inline auto SetArraysRpc(const SetArraysRequest& request) {
  return MakeRpc(&Stubs::states, &States::SetArrays, &States::async_interface::SetArrays,
                 !request.request_id.empty(), ToProto(request),
                 Only(&v1::SetArraysResponse::mutable_snapshot));
}

inline auto GetArraysRpc(const GetArraysRequest& request) {
  return MakeRpc(
      &Stubs::states, &States::GetArrays, &States::async_interface::GetArrays, true, ToProto(request),
      [](std::shared_ptr<const v1::GetArraysResponse> reply) { return FromProto(std::move(reply)); });
}

inline auto GetSnapshotRpc(const StateRef& state) {
  v1::GetSnapshotRequest message;
  *message.mutable_state() = ToProto(state);
  return MakeRpc(&Stubs::states, &States::GetSnapshot, &States::async_interface::GetSnapshot, true,
                 std::move(message), Only(&v1::GetSnapshotResponse::mutable_snapshot));
}

inline auto DiffSnapshotsRpc(const DiffSnapshotsRequest& request) {
  return MakeRpc(&Stubs::states, &States::DiffSnapshots, &States::async_interface::DiffSnapshots, true,
                 ToProto(request), Whole<v1::DiffSnapshotsResponse>);
}

inline auto ListSnapshotsRpc(const ListSnapshotsRequest& request) {
  return MakeRpc(&Stubs::states, &States::ListSnapshots, &States::async_interface::ListSnapshots, true,
                 ToProto(request), Whole<v1::ListSnapshotsResponse>);
}

inline auto UpdateSnapshotRpc(const UpdateSnapshotRequest& request) {
  return MakeRpc(&Stubs::states, &States::UpdateSnapshot, &States::async_interface::UpdateSnapshot,
                 !request.request_id.empty(), ToProto(request),
                 Only(&v1::UpdateSnapshotResponse::mutable_snapshot));
}

inline auto DeleteSnapshotsRpc(const DeleteSnapshotsRequest& request) {
  return MakeRpc(&Stubs::states, &States::DeleteSnapshots, &States::async_interface::DeleteSnapshots,
                 !request.request_id.empty(), ToProto(request), Whole<v1::DeleteSnapshotsResponse>);
}

inline auto CreateBranchRpc(const CreateBranchRequest& request) {
  return MakeRpc(&Stubs::branches, &Branches::CreateBranch, &Branches::async_interface::CreateBranch,
                 !request.request_id.empty(), ToProto(request),
                 Only(&v1::CreateBranchResponse::mutable_branch));
}

inline auto ListBranchesRpc(const ListBranchesRequest& request) {
  return MakeRpc(&Stubs::branches, &Branches::ListBranches, &Branches::async_interface::ListBranches, true,
                 ToProto(request), Whole<v1::ListBranchesResponse>);
}

inline auto UpdateBranchRpc(const UpdateBranchRequest& request) {
  return MakeRpc(&Stubs::branches, &Branches::UpdateBranch, &Branches::async_interface::UpdateBranch,
                 !request.request_id.empty(), ToProto(request),
                 Only(&v1::UpdateBranchResponse::mutable_branch));
}

inline auto DeleteBranchRpc(const DeleteBranchRequest& request) {
  return MakeRpc(&Stubs::branches, &Branches::DeleteBranch, &Branches::async_interface::DeleteBranch,
                 !request.request_id.empty(), ToProto(request),
                 [](const std::shared_ptr<v1::DeleteBranchResponse>&) { return absl::OkStatus(); });
}

inline auto GetBranchRpc(const std::string& name) {
  v1::GetBranchRequest message;
  message.set_name(name);
  return MakeRpc(&Stubs::branches, &Branches::GetBranch, &Branches::async_interface::GetBranch, true,
                 std::move(message), Only(&v1::GetBranchResponse::mutable_branch));
}

inline auto CreateBackupRpc(const std::string& name) {
  v1::CreateBackupRequest message;
  message.set_name(name);
  // A repeat would find the first one's folder, or make a second copy under another name.
  return MakeRpc(&Stubs::admin, &Admin::CreateBackup, &Admin::async_interface::CreateBackup, false,
                 std::move(message), Whole<v1::CreateBackupResponse>);
}

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_SRC_RPCS_H_
