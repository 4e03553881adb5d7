#include "server/services/branch_service.h"

#include <optional>
#include <utility>
#include <vector>

#include "server/convert/encode.h"
#include "server/convert/page.h"
#include "server/services/call_handlers.h"
#include "server/services/watch_stream.h"

namespace stepwell::server {
namespace {

absl::StatusOr<CreateBranchRequest> Decode(v1::CreateBranchRequest&& message) {
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*message.mutable_state()));
  if (!state.ok()) return state.status();
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return durability.status();
  CreateBranchRequest request{.name = std::move(*message.mutable_name()),
                              .state = *std::move(state),
                              .labels = DecodeLabels(message.labels()),
                              .request_id = message.request_id(),
                              .durability = *durability};
  if (message.has_expire_time()) {
    const absl::StatusOr<absl::Time> time = DecodeTime("expire_time", message.expire_time());
    if (!time.ok()) return time.status();
    request.expire_time = *time;
  }
  if (message.has_retention()) {
    const absl::StatusOr<RetentionPolicy> retention = DecodeRetention(message.retention());
    if (!retention.ok()) return retention.status();
    request.retention = *retention;
  }
  return request;
}

absl::StatusOr<UpdateBranchRequest> Decode(v1::UpdateBranchRequest&& message) {
  const absl::StatusOr<std::optional<Version>> expected_head = DecodeExpectedHead(message);
  if (!expected_head.ok()) return expected_head.status();
  const absl::StatusOr<std::vector<bool>> has =
      DecodeUpdateMask(message.update_mask(), {"labels", "expire_time", "retention"});
  if (!has.ok()) return has.status();
  if (!message.has_head() && message.update_mask().paths().empty()) {
    return absl::InvalidArgumentError(
        "nothing is to be changed; expected head, or an update_mask of labels, expire_time or retention");
  }
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return durability.status();
  UpdateBranchRequest request{.name = std::move(*message.mutable_name()),
                              .expected_head = *expected_head,
                              .request_id = message.request_id(),
                              .durability = *durability};
  if (message.has_head()) {
    absl::StatusOr<StateRef> head = DecodeStateRef(std::move(*message.mutable_head()));
    if (!head.ok()) return head.status();
    request.head = *std::move(head);
  }
  if ((*has)[0]) request.labels = DecodeLabels(message.labels());
  if ((*has)[1]) {
    request.expire_time = absl::InfiniteFuture();
    if (message.has_expire_time()) {
      const absl::StatusOr<absl::Time> time = DecodeTime("expire_time", message.expire_time());
      if (!time.ok()) return time.status();
      request.expire_time = *time;
    }
  }
  if ((*has)[2]) {
    request.retention.emplace();
    if (message.has_retention()) {
      const absl::StatusOr<RetentionPolicy> retention = DecodeRetention(message.retention());
      if (!retention.ok()) return retention.status();
      *request.retention = *retention;
    }
  }
  return request;
}

absl::StatusOr<DeleteBranchRequest> Decode(v1::DeleteBranchRequest&& message) {
  const absl::StatusOr<std::optional<Version>> expected_head = DecodeExpectedHead(message);
  if (!expected_head.ok()) return expected_head.status();
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return durability.status();
  return DeleteBranchRequest{.name = std::move(*message.mutable_name()),
                             .expected_head = *expected_head,
                             .request_id = message.request_id(),
                             .durability = *durability};
}

absl::StatusOr<WatchBranchesRequest> Decode(v1::WatchBranchesRequest&& message) {
  WatchBranchesRequest request;
  switch (message.branches_case()) {
    case v1::WatchBranchesRequest::kName:
      request.of = BranchName{std::move(*message.mutable_name())};
      break;
    case v1::WatchBranchesRequest::kPrefix:
      request.of = BranchPrefix{std::move(*message.mutable_prefix())};
      break;
    case v1::WatchBranchesRequest::BRANCHES_NOT_SET:
      return absl::InvalidArgumentError(
          "nothing is to be watched; expected the name of a branch, or a prefix of names: \"\" is all");
  }
  if (message.has_after_version()) {
    const absl::StatusOr<Version> version = DecodeVersion("after_version", message.after_version());
    if (!version.ok()) return version.status();
    request.after = *version;
  } else if (message.has_after_position()) {
    request.after = MovePosition{message.after_position()};
  }
  return request;
}

// What answers `call` with a Reply that holds a branch.
template <typename Reply>
auto AnswerWithBranch(std::shared_ptr<UnaryCall> call) {
  return [call = std::move(call)](absl::StatusOr<BranchRecord> branch) {
    if (!branch.ok()) return call->Answer(branch.status());
    Reply reply;
    *reply.mutable_branch() = Encode(*branch);
    call->Answer(Serialize(reply));
  };
}

}  // namespace

BranchService::BranchService(Engine* engine, RpcServer& rpcs) : engine_(engine) {
  rpcs.AddService(&generated_);
  AddUnary<v1::CreateBranchRequest>(
      rpcs, generated_, &Generated::RequestCreateBranch,
      [this](auto call, auto request) { CreateBranch(call, std::move(request)); });
  AddUnary<v1::GetBranchRequest>(rpcs, generated_, &Generated::RequestGetBranch,
                                 [this](auto call, auto request) { GetBranch(call, std::move(request)); });
  AddUnary<v1::ListBranchesRequest>(
      rpcs, generated_, &Generated::RequestListBranches,
      [this](auto call, auto request) { ListBranches(call, std::move(request)); });
  AddUnary<v1::UpdateBranchRequest>(
      rpcs, generated_, &Generated::RequestUpdateBranch,
      [this](auto call, auto request) { UpdateBranch(call, std::move(request)); });
  AddUnary<v1::DeleteBranchRequest>(
      rpcs, generated_, &Generated::RequestDeleteBranch,
      [this](auto call, auto request) { DeleteBranch(call, std::move(request)); });
  AddServerStream<v1::WatchBranchesRequest>(
      rpcs, generated_, &Generated::RequestWatchBranches,
      [this](auto call, auto request) { WatchBranches(call, std::move(request)); });
}

void BranchService::CreateBranch(std::shared_ptr<UnaryCall> call, v1::CreateBranchRequest&& message) {
  absl::StatusOr<CreateBranchRequest> request = Decode(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->CreateBranch(*std::move(request), AnswerWithBranch<v1::CreateBranchResponse>(std::move(call)));
}

void BranchService::GetBranch(std::shared_ptr<UnaryCall> call, v1::GetBranchRequest&& message) {
  engine_->GetBranch({std::move(*message.mutable_name())},
                     AnswerWithBranch<v1::GetBranchResponse>(std::move(call)));
}

void BranchService::ListBranches(std::shared_ptr<UnaryCall> call, v1::ListBranchesRequest&& message) {
  absl::StatusOr<Page> page = DecodePage(message);
  if (!page.ok()) return call->Answer(page.status());
  ListBranchesRequest request{
      .prefix = message.prefix(), .after = std::move(page->after), .limit = page->size};
  engine_->ListBranches(std::move(request), [call = std::move(call), message = std::move(message)](
                                                absl::StatusOr<ListBranchesResult> result) {
    if (!result.ok()) return call->Answer(result.status());
    v1::ListBranchesResponse reply;
    for (const BranchRecord& branch : result->branches) *reply.add_branches() = Encode(branch);
    if (result->next_after.has_value()) {
      reply.set_next_page_token(EncodePageToken(message, *result->next_after));
    }
    call->Answer(Serialize(reply));
  });
}

void BranchService::UpdateBranch(std::shared_ptr<UnaryCall> call, v1::UpdateBranchRequest&& message) {
  absl::StatusOr<UpdateBranchRequest> request = Decode(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->UpdateBranch(*std::move(request), AnswerWithBranch<v1::UpdateBranchResponse>(std::move(call)));
}

void BranchService::DeleteBranch(std::shared_ptr<UnaryCall> call, v1::DeleteBranchRequest&& message) {
  absl::StatusOr<DeleteBranchRequest> request = Decode(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->DeleteBranch(*std::move(request), [call = std::move(call)](absl::StatusOr<BranchRecord> branch) {
    if (!branch.ok()) return call->Answer(branch.status());
    call->Answer(Serialize(v1::DeleteBranchResponse()));
  });
}

void BranchService::WatchBranches(std::shared_ptr<ServerStreamCall> call,
                                  v1::WatchBranchesRequest&& message) {
  absl::StatusOr<WatchBranchesRequest> request = Decode(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  engine_->WatchBranches(*std::move(request), [call](absl::StatusOr<std::unique_ptr<BranchWatch>> watch) {
    if (!watch.ok()) return call->Answer(watch.status());
    ServeWatch(*std::move(watch), call);
  });
}

}  // namespace stepwell::server
