#include "server/services/state_service.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "server/convert/encode.h"
#include "server/convert/message_writer.h"
#include "server/convert/page.h"
#include "server/convert/scan_messages.h"
#include "server/convert/step_messages.h"
#include "server/services/array_stream.h"
#include "server/services/batch_step_call.h"
#include "server/services/call_handlers.h"
#include "server/services/export_stream.h"
#include "server/services/import_call.h"
#include "server/services/step_stream.h"
#include "server/services/write_arrays.h"

namespace stepwell::server {
namespace {

// Few, since they hold steps up when they commit much at a time.
constexpr int kMoverThreads = 2;

absl::StatusOr<MakeStateRequest> Decode(v1::MakeStateRequest&& message) {
  absl::StatusOr<NamedArrays> arrays = DecodeNamedArrays("state array", std::move(*message.mutable_arrays()));
  if (!arrays.ok()) return arrays.status();
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return durability.status();
  MakeStateRequest request{.model = std::move(*message.mutable_model()),
                           .arrays = *std::move(arrays),
                           .labels = DecodeLabels(message.labels()),
                           .request_id = message.request_id(),
                           .durability = *durability};
  if (message.has_revision()) request.revision = message.revision();
  if (message.has_rng_seed()) request.rng_seed = static_cast<uint64_t>(message.rng_seed());
  if (message.has_branch()) request.branch = std::move(*message.mutable_branch());
  return request;
}

absl::StatusOr<SetArraysRequest> Decode(v1::SetArraysRequest&& message) {
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*message.mutable_state()));
  if (!state.ok()) return state.status();
  SetArraysRequest request{.state = *std::move(state), .labels = DecodeLabels(message.labels())};
  for (v1::ArrayUpdate& update : *message.mutable_arrays()) {
    const std::string name = NameOf(update.index());
    absl::StatusOr<Index> index = DecodeIndex(std::move(*update.mutable_index()));
    if (!index.ok()) return index.status();
    absl::StatusOr<Array> array = DecodeArray("index", name, std::move(*update.mutable_array()));
    if (!array.ok()) return array.status();
    request.arrays.emplace_back(*std::move(index), *std::move(array));
  }
  const absl::Status revision = DecodeRevision(message, request);
  if (!revision.ok()) return revision;
  const absl::StatusOr<std::optional<Version>> expected_head = DecodeExpectedHead(message);
  if (!expected_head.ok()) return expected_head.status();
  request.expected_head = *expected_head;
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return durability.status();
  request.durability = *durability;
  request.request_id = message.request_id();
  return request;
}

absl::StatusOr<ListSnapshotsRequest> Decode(v1::ListSnapshotsRequest&& message) {
  const absl::StatusOr<Page> page = DecodePage(message);
  if (!page.ok()) return page.status();
  ListSnapshotsRequest request{.labels = DecodeLabels(message.labels()), .limit = page->size};
  switch (message.of_case()) {
    case v1::ListSnapshotsRequest::kAncestorsOf: {
      absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*message.mutable_ancestors_of()));
      if (!state.ok()) return state.status();
      request.of = *std::move(state);
      break;
    }
    case v1::ListSnapshotsRequest::kModel:
      request.of = ListSnapshotsRequest::Model{std::move(*message.mutable_model())};
      break;
    case v1::ListSnapshotsRequest::OF_NOT_SET:
      return absl::InvalidArgumentError("neither ancestors_of nor model is set; expected one of them");
  }
  int64_t after = 0;
  if (absl::SimpleAtoi(page->after, &after)) request.after = Version(after);
  if (message.has_begin_time()) {
    const absl::StatusOr<absl::Time> time = DecodeTime("begin_time", message.begin_time());
    if (!time.ok()) return time.status();
    request.begin_time = *time;
  }
  if (message.has_end_time()) {
    const absl::StatusOr<absl::Time> time = DecodeTime("end_time", message.end_time());
    if (!time.ok()) return time.status();
    request.end_time = *time;
  }
  return request;
}

absl::StatusOr<UpdateSnapshotRequest> Decode(const v1::UpdateSnapshotRequest& message) {
  const absl::StatusOr<Version> version = DecodeVersion("version", message.version());
  if (!version.ok()) return version.status();
  const absl::StatusOr<std::vector<bool>> has = DecodeUpdateMask(message.update_mask(), {"labels", "pinned"});
  if (!has.ok()) return has.status();
  if (message.update_mask().paths().empty()) {
    return absl::InvalidArgumentError("update_mask is empty; expected labels or pinned");
  }
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return durability.status();
  UpdateSnapshotRequest request{
      .version = *version, .request_id = message.request_id(), .durability = *durability};
  if ((*has)[0]) request.labels = DecodeLabels(message.labels());
  if ((*has)[1]) request.pinned = message.pinned();
  return request;
}

absl::StatusOr<DeleteSnapshotsRequest> Decode(const v1::DeleteSnapshotsRequest& message) {
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(message.durability());
  if (!durability.ok()) return durability.status();
  DeleteSnapshotsRequest request{.request_id = message.request_id(), .durability = *durability};
  request.versions.reserve(static_cast<size_t>(message.versions_size()));
  for (const int64_t number : message.versions()) {
    const absl::StatusOr<Version> version = DecodeVersion("versions", number);
    if (!version.ok()) return version.status();
    request.versions.push_back(*version);
  }
  return request;
}

// Of GetArrays and ReadArrays.
template <typename Message>
absl::StatusOr<GetArraysRequest> DecodeRead(Message&& message) {
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*message.mutable_state()));
  if (!state.ok()) return state.status();
  absl::StatusOr<std::vector<ArraySelector>> selectors =
      DecodeSelectors(std::move(*message.mutable_selectors()));
  if (!selectors.ok()) return selectors.status();
  return GetArraysRequest{.state = *std::move(state), .selectors = *std::move(selectors)};
}

absl::StatusOr<DiffSnapshotsRequest> Decode(v1::DiffSnapshotsRequest&& message) {
  absl::StatusOr<StateRef> from = DecodeStateRef(std::move(*message.mutable_from()), "from");
  if (!from.ok()) return from.status();
  absl::StatusOr<StateRef> to = DecodeStateRef(std::move(*message.mutable_to()), "to");
  if (!to.ok()) return to.status();
  DiffSnapshotsRequest request{
      .from = *std::move(from), .to = *std::move(to), .include_same = message.include_same()};
  if (message.has_index()) {
    absl::StatusOr<Index> index = DecodeIndex(std::move(*message.mutable_index()));
    if (!index.ok()) return index.status();
    request.index = *std::move(index);
  }
  return request;
}

grpc::ByteBuffer EncodeArrays(const GetArraysResult& result) {
  MessageWriter writer;
  writer.AddInt64(v1::GetArraysResponse::kVersionFieldNumber, result.snapshot->version().value());
  writer.AddNamedArrays(v1::GetArraysResponse::kArraysFieldNumber, result.arrays);
  return writer.Finish();
}

// What answers `call` with a Reply that holds a snapshot.
template <typename Reply>
auto AnswerWithSnapshot(std::shared_ptr<UnaryCall> call) {
  return [call = std::move(call)](absl::StatusOr<SnapshotInfo> snapshot) {
    if (!snapshot.ok()) return call->Answer(snapshot.status());
    Reply reply;
    *reply.mutable_snapshot() = server::Encode(*snapshot->record, snapshot->durable);
    call->Answer(Serialize(reply));
  };
}

}  // namespace

StateService::StateService(Engine* engine, int64_t max_reply_bytes, int64_t max_write_bytes, RpcServer& rpcs)
    : engine_(engine), max_reply_bytes_(max_reply_bytes), movers_(kMoverThreads, kMaxWaitingMoves) {
  rpcs.AddService(&generated_);
  AddUnary<v1::MakeStateRequest>(rpcs, generated_, &Generated::RequestMakeState,
                                 [this](auto call, auto request) { MakeState(call, std::move(request)); });
  AddUnary<v1::StepRequest>(rpcs, generated_, &Generated::RequestStep,
                            [this](auto call, auto request) { Step(call, std::move(request)); });
  AddUnary<v1::BatchStepRequest>(
      rpcs, generated_, &Generated::RequestBatchStep, [this](auto call, auto request) {
        ServeBatchStep(engine_, max_reply_bytes_, std::move(call), std::move(request));
      });
  AddUnary<v1::ScanRequest>(rpcs, generated_, &Generated::RequestScan,
                            [this](auto call, auto request) { Scan(call, std::move(request)); });
  AddServerStream<v1::ExportSnapshotsRequest>(
      rpcs, generated_, &Generated::RequestExportSnapshots, [this](auto call, auto request) {
        ServeExport(engine_, &movers_, std::move(call), std::move(request));
      });
  AddClientStream(rpcs, generated_, &Generated::RequestImportSnapshots,
                  [this, max_write_bytes](std::shared_ptr<ClientStreamCall> call) {
                    ServeImport(engine_, &movers_, max_write_bytes, std::move(call));
                  });
  AddBidiStream(rpcs, generated_, &Generated::RequestStepStream,
                [this](std::shared_ptr<BidiStreamCall> call) {
                  ServeStepStream(engine_, max_reply_bytes_, std::move(call));
                });
  AddUnary<v1::SetArraysRequest>(rpcs, generated_, &Generated::RequestSetArrays,
                                 [this](auto call, auto request) { SetArrays(call, std::move(request)); });
  AddClientStream(rpcs, generated_, &Generated::RequestWriteArrays,
                  [this, max_write_bytes](std::shared_ptr<ClientStreamCall> call) {
                    ServeWriteArrays(engine_, max_write_bytes, std::move(call));
                  });
  AddUnary<v1::GetArraysRequest>(rpcs, generated_, &Generated::RequestGetArrays,
                                 [this](auto call, auto request) { GetArrays(call, std::move(request)); });
  AddServerStream<v1::ReadArraysRequest>(
      rpcs, generated_, &Generated::RequestReadArrays,
      [this](auto call, auto request) { ReadArrays(call, std::move(request)); });
  AddUnary<v1::GetSnapshotRequest>(
      rpcs, generated_, &Generated::RequestGetSnapshot,
      [this](auto call, auto request) { GetSnapshot(call, std::move(request)); });
  AddUnary<v1::DiffSnapshotsRequest>(
      rpcs, generated_, &Generated::RequestDiffSnapshots,
      [this](auto call, auto request) { DiffSnapshots(call, std::move(request)); });
  AddUnary<v1::ListSnapshotsRequest>(
      rpcs, generated_, &Generated::RequestListSnapshots,
      [this](auto call, auto request) { ListSnapshots(call, std::move(request)); });
  AddUnary<v1::UpdateSnapshotRequest>(
      rpcs, generated_, &Generated::RequestUpdateSnapshot,
      [this](auto call, auto request) { UpdateSnapshot(call, std::move(request)); });
  AddUnary<v1::DeleteSnapshotsRequest>(
      rpcs, generated_, &Generated::RequestDeleteSnapshots,
      [this](auto call, auto request) { DeleteSnapshots(call, std::move(request)); });
}

void StateService::MakeState(std::shared_ptr<UnaryCall> call, v1::MakeStateRequest&& message) {
  absl::StatusOr<MakeStateRequest> request = Decode(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->MakeState(
      *std::move(request), [call = std::move(call), engine = engine_](absl::StatusOr<MakeStateResult> made) {
        if (!made.ok()) return call->Answer(made.status());
        v1::MakeStateResponse reply;
        *reply.mutable_snapshot() =
            server::Encode(made->snapshot->record(), engine->IsDurable(made->snapshot->version()));
        if (made->branch.has_value()) *reply.mutable_branch() = server::Encode(*made->branch);
        call->Answer(Serialize(reply));
      });
}

void StateService::Step(std::shared_ptr<UnaryCall> call, v1::StepRequest&& message) {
  absl::StatusOr<StepRequest> request = DecodeStep(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->max_reply_bytes = max_reply_bytes_;
  request->call = call->context();
  engine_->Step(*std::move(request), [call = std::move(call)](absl::StatusOr<StepResult> result) {
    if (!result.ok()) return call->Answer(result.status());
    call->Answer(WriteStep(*result).Finish());
  });
}

void StateService::Scan(std::shared_ptr<UnaryCall> call, v1::ScanRequest&& message) {
  absl::StatusOr<ScanRequest> request = DecodeScan(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->max_reply_bytes = max_reply_bytes_;
  request->call = call->context();
  engine_->Scan(*std::move(request), [call = std::move(call)](absl::StatusOr<ScanResult> result) {
    if (!result.ok()) return call->Answer(result.status());
    call->Answer(EncodeScan(*result));
  });
}

void StateService::SetArrays(std::shared_ptr<UnaryCall> call, v1::SetArraysRequest&& message) {
  absl::StatusOr<SetArraysRequest> request = Decode(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->SetArrays(*std::move(request), [call = std::move(call), engine = engine_](
                                              absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot) {
    if (!snapshot.ok()) return call->Answer(snapshot.status());
    v1::SetArraysResponse reply;
    *reply.mutable_snapshot() =
        server::Encode((*snapshot)->record(), engine->IsDurable((*snapshot)->version()));
    call->Answer(Serialize(reply));
  });
}

void StateService::GetArrays(std::shared_ptr<UnaryCall> call, v1::GetArraysRequest&& message) {
  absl::StatusOr<GetArraysRequest> request = DecodeRead(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->max_reply_bytes = max_reply_bytes_;
  request->call = call->context();
  engine_->GetArrays(*std::move(request), [call = std::move(call)](absl::StatusOr<GetArraysResult> result) {
    if (!result.ok()) return call->Answer(result.status());
    call->Answer(EncodeArrays(*result));
  });
}

void StateService::ReadArrays(std::shared_ptr<ServerStreamCall> call, v1::ReadArraysRequest&& message) {
  const int64_t byte_offset = message.byte_offset();
  absl::StatusOr<GetArraysRequest> request = DecodeRead(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->GetArrays(*std::move(request),
                     [call = std::move(call), byte_offset](absl::StatusOr<GetArraysResult> result) {
                       if (!result.ok()) return call->Answer(result.status());
                       call->Answer(StreamArrays(*std::move(result), byte_offset));
                     });
}

void StateService::GetSnapshot(std::shared_ptr<UnaryCall> call, v1::GetSnapshotRequest&& message) {
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*message.mutable_state()));
  if (!state.ok()) return call->Answer(state.status());
  engine_->GetSnapshot({*std::move(state)}, AnswerWithSnapshot<v1::GetSnapshotResponse>(std::move(call)));
}

void StateService::DiffSnapshots(std::shared_ptr<UnaryCall> call, v1::DiffSnapshotsRequest&& message) {
  absl::StatusOr<DiffSnapshotsRequest> request = Decode(std::move(message));
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->DiffSnapshots(*std::move(request),
                         [call = std::move(call)](const absl::StatusOr<DiffSnapshotsResult>& result) {
                           if (!result.ok()) return call->Answer(result.status());
                           call->Answer(Serialize(server::Encode(*result)));
                         });
}

void StateService::ListSnapshots(std::shared_ptr<UnaryCall> call, v1::ListSnapshotsRequest&& message) {
  absl::StatusOr<ListSnapshotsRequest> request = Decode(v1::ListSnapshotsRequest(message));
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->ListSnapshots(
      *std::move(request), [call = std::move(call), message = std::move(message),
                            max_reply_bytes = max_reply_bytes_](absl::StatusOr<ListSnapshotsResult> page) {
        if (!page.ok()) return call->Answer(page.status());
        v1::ListSnapshotsResponse reply;
        int64_t bytes = 0;
        for (const SnapshotInfo& snapshot : page->snapshots) {
          v1::Snapshot encoded = server::Encode(*snapshot.record, snapshot.durable);
          bytes += static_cast<int64_t>(encoded.ByteSizeLong());
          if (bytes > max_reply_bytes && reply.snapshots_size() > 0) {  // Labels may be long.
            page->next_after = Version(reply.snapshots(reply.snapshots_size() - 1).version());
            break;
          }
          *reply.add_snapshots() = std::move(encoded);
        }
        if (page->next_after.has_value()) {
          reply.set_next_page_token(EncodePageToken(message, absl::StrCat(page->next_after->value())));
        }
        call->Answer(Serialize(reply));
      });
}

void StateService::UpdateSnapshot(std::shared_ptr<UnaryCall> call, const v1::UpdateSnapshotRequest& message) {
  absl::StatusOr<UpdateSnapshotRequest> request = Decode(message);
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->UpdateSnapshot(*std::move(request),
                          AnswerWithSnapshot<v1::UpdateSnapshotResponse>(std::move(call)));
}

void StateService::DeleteSnapshots(std::shared_ptr<UnaryCall> call,
                                   const v1::DeleteSnapshotsRequest& message) {
  absl::StatusOr<DeleteSnapshotsRequest> request = Decode(message);
  if (!request.ok()) return call->Answer(request.status());
  request->call = call->context();
  engine_->DeleteSnapshots(*std::move(request),
                           [call = std::move(call)](absl::StatusOr<DeleteSnapshotsResult> deleted) {
                             if (!deleted.ok()) return call->Answer(deleted.status());
                             v1::DeleteSnapshotsResponse reply;
                             reply.set_freed_bytes(deleted->freed_bytes);
                             call->Answer(Serialize(reply));
                           });
}

}  // namespace stepwell::server
