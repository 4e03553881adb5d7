#include "stepwell/client/client.h"

#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/memory/memory.h"
#include "absl/time/time.h"
#include "client/src/array_reader.h"
#include "client/src/package_source.h"
#include "client/src/resuming_stream.h"
#include "client/src/resuming_watch.h"
#include "client/src/retry.h"
#include "client/src/rpcs.h"
#include "client/src/status.h"

namespace stepwell::client {
namespace {

// Runs `attempt` with a fresh context until `backoff` says that it is enough; what the last one came to.
template <typename Attempt>
absl::Status Retry(const ClientOptions& options, absl::Time deadline, bool may_repeat, Attempt attempt) {
  Backoff backoff(options.retry, deadline, may_repeat);
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    absl::Status status = attempt(context);
    const std::optional<absl::Duration> pause = backoff.Next(status);
    if (!pause.has_value()) return status;
    Sleep(options, *pause);
  }
}

// Carries out `rpc` with all its attempts and pages.
template <typename RpcT>
typename RpcT::Outcome Run(const Stubs& stubs, const ClientOptions& options, const CallOptions& call,
                           RpcT rpc) {
  const absl::Time deadline = Deadline(options, call);
  while (true) {
    const auto reply = std::make_shared<typename RpcT::Reply>();
    const absl::Status status = Retry(options, deadline, rpc.may_repeat, [&](grpc::ClientContext& context) {
      reply->Clear();
      return FromGrpcStatus((*(stubs.*rpc.stub).*rpc.call)(&context, rpc.message, reply.get()));
    });
    if (!status.ok()) return status;
    if (auto outcome = rpc.take(rpc.message, reply); outcome.has_value()) return *std::move(outcome);
  }
}

// One stream of ReadArrays, as far as it goes.
absl::Status ReadStream(v1::StateService::StubInterface& stub, grpc::ClientContext& context,
                        ArrayReader& reader) {
  const auto stream = stub.ReadArrays(&context, reader.NextRequest());
  v1::ReadArraysResponse message;
  while (stream->Read(&message)) {
    if (!reader.Take(message)) {
      context.TryCancel();
      break;
    }
  }
  return reader.EndStream(FromGrpcStatus(stream->Finish()));
}

// Of data in one message of WriteArrays or UploadModel.
constexpr size_t kChunkBytes = 1 << 20;

// One stream of WriteArrays. A write fails when the server has answered already; then Finish says what.
absl::Status WriteStream(v1::StateService::StubInterface& stub, grpc::ClientContext& context,
                         const SetArraysRequest& request, v1::WriteArraysResponse& reply) {
  reply.Clear();
  const auto stream = stub.WriteArrays(&context, &reply);
  v1::WriteArraysRequest message;
  *message.mutable_header() = ToWriteHeader(request);
  bool open = stream->Write(message);
  for (const auto& [index, array] : request.arrays) {
    for (size_t at = 0; open && at < array.bytes().size(); at += kChunkBytes) {
      const auto part = array.bytes().subspan(at, kChunkBytes);
      message.set_data(part.data(), part.size());
      open = stream->Write(message);
    }
  }
  stream->WritesDone();
  return FromGrpcStatus(stream->Finish());
}

// One stream of UploadModel. `sent` is told how many bytes have gone.
absl::Status UploadStream(v1::ModelService::StubInterface& stub, grpc::ClientContext& context,
                          const PackageSource& package, absl::FunctionRef<void(int64_t)> sent,
                          v1::UploadModelResponse& reply) {
  reply.Clear();
  const auto stream = stub.UploadModel(&context, &reply);
  v1::UploadModelRequest message;
  *message.mutable_header() = package.header();
  int64_t bytes = 0;
  absl::Status read;
  if (stream->Write(message)) {
    read = package.Read(kChunkBytes, [&](std::string piece) {
      bytes += static_cast<int64_t>(piece.size());
      message.set_data(std::move(piece));
      const bool open = stream->Write(message);
      if (open) sent(bytes);
      return open;
    });
  }
  if (!read.ok()) context.TryCancel();  // What it has is not to be taken for the whole.
  stream->WritesDone();
  const absl::Status finished = FromGrpcStatus(stream->Finish());
  return read.ok() ? finished : read;
}

// The stream of an import.
class WritingSender final : public SnapshotSender {
 public:
  explicit WritingSender(grpc::ClientWriterInterface<v1::ImportSnapshotsRequest>* stream) : stream_(stream) {}

  bool Send(const v1::MovedSnapshot& snapshot) override {
    *message_.mutable_snapshot() = snapshot;
    return stream_->Write(message_);
  }
  bool Send(absl::string_view bytes) override {
    message_.set_data(bytes.data(), bytes.size());
    return stream_->Write(message_);
  }
  bool SendHeader(const ImportSnapshotsRequest& request) {
    *message_.mutable_header() = ToImportHeader(request);
    return stream_->Write(message_);
  }

 private:
  grpc::ClientWriterInterface<v1::ImportSnapshotsRequest>* const stream_;
  v1::ImportSnapshotsRequest message_;
};

}  // namespace

std::unique_ptr<Client> Client::Connect(ClientOptions options) {
  Stubs stubs = ConnectStubs(options);
  return std::make_unique<Client>(std::move(stubs), std::move(options));
}

Client::Client(Stubs stubs, ClientOptions options) : stubs_(std::move(stubs)), options_(std::move(options)) {}

absl::StatusOr<v1::ModelInfo> Client::LoadModel(const std::string& name, const CallOptions& options) {
  return Run(stubs_, options_, options, LoadModelRpc(name));
}

absl::StatusOr<v1::ModelInfo> Client::UploadModel(const UploadModelRequest& request,
                                                  const CallOptions& options) {
  const absl::StatusOr<PackageSource> package = PackageSource::Open(request);
  if (!package.ok()) return package.status();
  int64_t most = 0;
  const auto progress = [&](int64_t sent) {
    if (options.on_progress == nullptr || (sent > 0 && sent <= most)) return;
    most = sent;
    options.on_progress(sent, package->byte_count());
  };
  progress(0);
  v1::UploadModelResponse reply;
  // Uploading what is there changes nothing: it may be repeated as a read may.
  const absl::Status status =
      Retry(options_, Deadline(options_, options), true, [&](grpc::ClientContext& context) {
        return UploadStream(*stubs_.models, context, *package, progress, reply);
      });
  if (!status.ok()) return status;
  return std::move(*reply.mutable_model());
}

absl::Status Client::UnloadModel(const ModelRef& model, const CallOptions& options) {
  return Run(stubs_, options_, options, UnloadModelRpc(model));
}

absl::StatusOr<v1::ModelInfo> Client::GetModel(const ModelRef& model, const CallOptions& options) {
  return Run(stubs_, options_, options, GetModelRpc(model));
}

absl::StatusOr<std::vector<v1::ModelInfo>> Client::ListModels(const CallOptions& options) {
  return Run(stubs_, options_, options, ListModelsRpc());
}

absl::StatusOr<v1::MakeStateResponse> Client::MakeState(const MakeStateRequest& request,
                                                        const CallOptions& options) {
  return Run(stubs_, options_, options, MakeStateRpc(request));
}

absl::StatusOr<StepResult> Client::Step(const StepRequest& request, const CallOptions& options) {
  return Run(stubs_, options_, options, StepRpc(request));
}

absl::StatusOr<std::unique_ptr<Stream>> Client::OpenStream(const StreamRequest& request,
                                                           const CallOptions& options) {
  auto stream =
      std::make_unique<internal::ResumingStream>(this, stubs_.states.get(), &options_, request, options);
  const absl::Status opened = stream->Open();
  if (!opened.ok()) return opened;
  return absl::WrapUnique(new Stream(std::move(stream)));
}

absl::StatusOr<BatchStepResult> Client::BatchStep(const BatchStepRequest& request,
                                                  const CallOptions& options) {
  return Run(stubs_, options_, options, BatchStepRpc(request));
}

absl::StatusOr<ScanResult> Client::Scan(const ScanRequest& request, const CallOptions& options) {
  return Run(stubs_, options_, options, ScanRpc(request));
}

absl::StatusOr<v1::Snapshot> Client::SetArrays(const SetArraysRequest& request, const CallOptions& options) {
  return Run(stubs_, options_, options, SetArraysRpc(request));
}

absl::StatusOr<v1::Snapshot> Client::WriteArrays(const SetArraysRequest& request,
                                                 const CallOptions& options) {
  v1::WriteArraysResponse reply;
  const absl::Status status = Retry(
      options_, Deadline(options_, options), !request.request_id.empty(),
      [&](grpc::ClientContext& context) { return WriteStream(*stubs_.states, context, request, reply); });
  if (!status.ok()) return status;
  return std::move(*reply.mutable_snapshot());
}

absl::StatusOr<GetArraysResult> Client::GetArrays(const GetArraysRequest& request,
                                                  const CallOptions& options) {
  return Run(stubs_, options_, options, GetArraysRpc(request));
}

absl::StatusOr<GetArraysResult> Client::ReadArrays(const GetArraysRequest& request,
                                                   const CallOptions& options) {
  AssemblingSink sink;
  const absl::Status status = ReadArrays(request, sink, options);
  if (!status.ok()) return status;
  return std::move(sink).Finish();
}

absl::Status Client::ReadArrays(const GetArraysRequest& request, ArraySink& sink,
                                const CallOptions& options) {
  ArrayReader reader(request, &sink, options.on_progress);
  const absl::Status ended =
      Retry(options_, Deadline(options_, options), true,
            [&](grpc::ClientContext& context) { return ReadStream(*stubs_.states, context, reader); });
  return ended.ok() ? reader.Outcome() : ended;
}

absl::StatusOr<v1::Snapshot> Client::GetSnapshot(const StateRef& state, const CallOptions& options) {
  return Run(stubs_, options_, options, GetSnapshotRpc(state));
}

absl::StatusOr<v1::DiffSnapshotsResponse> Client::DiffSnapshots(const DiffSnapshotsRequest& request,
                                                                const CallOptions& options) {
  return Run(stubs_, options_, options, DiffSnapshotsRpc(request));
}

absl::StatusOr<v1::ListSnapshotsResponse> Client::ListSnapshots(const ListSnapshotsRequest& request,
                                                                const CallOptions& options) {
  return Run(stubs_, options_, options, ListSnapshotsRpc(request));
}

absl::StatusOr<v1::DeleteSnapshotsResponse> Client::DeleteSnapshots(const DeleteSnapshotsRequest& request,
                                                                    const CallOptions& options) {
  return Run(stubs_, options_, options, DeleteSnapshotsRpc(request));
}

absl::StatusOr<v1::Snapshot> Client::UpdateSnapshot(const UpdateSnapshotRequest& request,
                                                    const CallOptions& options) {
  return Run(stubs_, options_, options, UpdateSnapshotRpc(request));
}

absl::Status Client::ExportSnapshots(const ExportSnapshotsRequest& request,
                                     absl::FunctionRef<absl::Status(const v1::ExportSnapshotsResponse&)> take,
                                     const CallOptions& options) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(Deadline(options_, options)));
  v1::ExportSnapshotsRequest message;
  *message.mutable_state() = ToProto(request.state);
  message.set_history(request.history);
  message.set_omit_data(request.omit_data);
  const auto stream = stubs_.states->ExportSnapshots(&context, message);
  absl::Status taken;
  v1::ExportSnapshotsResponse part;
  while (taken.ok() && stream->Read(&part)) taken = take(part);
  if (!taken.ok()) context.TryCancel();
  const absl::Status status = FromGrpcStatus(stream->Finish());
  return taken.ok() ? status : taken;
}

absl::StatusOr<v1::ImportSnapshotsResponse> Client::ImportSnapshots(
    const ImportSnapshotsRequest& request, absl::FunctionRef<absl::Status(SnapshotSender&)> send,
    const CallOptions& options) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(Deadline(options_, options)));
  v1::ImportSnapshotsResponse reply;
  const auto stream = stubs_.states->ImportSnapshots(&context, &reply);
  WritingSender sender(stream.get());
  const absl::Status sent = sender.SendHeader(request) ? send(sender) : absl::OkStatus();
  if (sent.ok()) {
    stream->WritesDone();
  } else {
    context.TryCancel();
  }
  const absl::Status status = FromGrpcStatus(stream->Finish());
  if (!sent.ok()) return sent;
  if (!status.ok()) return status;
  return reply;
}

absl::StatusOr<v1::Branch> Client::CreateBranch(const CreateBranchRequest& request,
                                                const CallOptions& options) {
  return Run(stubs_, options_, options, CreateBranchRpc(request));
}

absl::StatusOr<v1::ListBranchesResponse> Client::ListBranches(const ListBranchesRequest& request,
                                                              const CallOptions& options) {
  return Run(stubs_, options_, options, ListBranchesRpc(request));
}

absl::StatusOr<v1::Branch> Client::UpdateBranch(const UpdateBranchRequest& request,
                                                const CallOptions& options) {
  return Run(stubs_, options_, options, UpdateBranchRpc(request));
}

absl::Status Client::DeleteBranch(const DeleteBranchRequest& request, const CallOptions& options) {
  return Run(stubs_, options_, options, DeleteBranchRpc(request));
}

absl::StatusOr<std::unique_ptr<BranchWatch>> Client::WatchBranches(const WatchBranchesRequest& request,
                                                                   const CallOptions& options) {
  auto watch = std::make_unique<internal::ResumingWatch>(stubs_.branches.get(), &options_, request, options);
  const absl::Status opened = watch->Open();
  if (!opened.ok()) return opened;
  return absl::WrapUnique(new BranchWatch(std::move(watch)));
}

absl::StatusOr<v1::CreateBackupResponse> Client::CreateBackup(const std::string& name,
                                                              const CallOptions& options) {
  return Run(stubs_, options_, options, CreateBackupRpc(name));
}

absl::StatusOr<v1::Branch> Client::GetBranch(const std::string& name, const CallOptions& options) {
  return Run(stubs_, options_, options, GetBranchRpc(name));
}

}  // namespace stepwell::client
