#include "server/services/branch_service.h"

#include <utility>

#include "server/convert/encode.h"
#include "server/services/call_handlers.h"

namespace stepwell::server {

BranchService::BranchService(Engine* engine, RpcServer& rpcs) : engine_(engine) {
  rpcs.AddService(&generated_);
  AddUnary<v1::CreateBranchRequest>(
      rpcs, generated_, &Generated::RequestCreateBranch,
      [this](auto call, auto request) { CreateBranch(call, std::move(request)); });
  AddUnary<v1::GetBranchRequest>(rpcs, generated_, &Generated::RequestGetBranch,
                                 [this](auto call, auto request) { GetBranch(call, std::move(request)); });
}

void BranchService::CreateBranch(std::shared_ptr<UnaryCall> call, v1::CreateBranchRequest&& message) {
  const absl::Status supported = CheckNoRequestId(message.request_id());
  if (!supported.ok()) return call->Answer(supported);
  if (message.has_expire_time()) {
    return call->Answer(
        absl::UnimplementedError("expire_time is given, and branches of this server do not expire yet"));
  }
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*message.mutable_state()));
  if (!state.ok()) return call->Answer(state.status());
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return call->Answer(durability.status());
  engine_->CreateBranch({.name = std::move(*message.mutable_name()),
                         .state = *std::move(state),
                         .labels = DecodeLabels(message.labels()),
                         .durability = *durability},
                        [call = std::move(call)](absl::StatusOr<BranchRecord> branch) {
                          if (!branch.ok()) return call->Answer(branch.status());
                          v1::CreateBranchResponse reply;
                          *reply.mutable_branch() = Encode(*branch);
                          call->Answer(Serialize(reply));
                        });
}

void BranchService::GetBranch(std::shared_ptr<UnaryCall> call, v1::GetBranchRequest&& message) {
  engine_->GetBranch({std::move(*message.mutable_name())},
                     [call = std::move(call)](absl::StatusOr<BranchRecord> branch) {
                       if (!branch.ok()) return call->Answer(branch.status());
                       v1::GetBranchResponse reply;
                       *reply.mutable_branch() = Encode(*branch);
                       call->Answer(Serialize(reply));
                     });
}

}  // namespace stepwell::server
