#include "stepwell/client/async_client.h"

#include <utility>

#include "client/src/array_reader.h"
#include "client/src/async_call.h"
#include "client/src/retry.h"
#include "client/src/rpcs.h"
#include "client/src/status.h"

namespace stepwell::client {
namespace {

// Takes what `callback` captures with it, so that this is gone once the outcome is told.
template <typename Callback, typename Outcome>
void Tell(Callback& callback, Outcome outcome) {
  Callback last = std::exchange(callback, nullptr);
  last(std::move(outcome));
}

// A unary RPC.
template <typename RpcT>
class UnaryCall final : public internal::AsyncCall {
 public:
  using Outcome = typename RpcT::Outcome;
  using Callback = absl::AnyInvocable<void(Outcome)>;

  UnaryCall(const Stubs& stubs, const ClientOptions& options, const CallOptions& call, RpcT rpc,
            Callback done)
      : AsyncCall(options, Deadline(options, call), rpc.may_repeat),
        stub_(*(stubs.*rpc.stub)),
        rpc_(std::move(rpc)),
        done_(std::move(done)) {}

 private:
  void Send(grpc::ClientContext& context) override {
    reply_ = std::make_shared<typename RpcT::Reply>();
    (stub_.async()->*rpc_.start)(&context, &rpc_.message, reply_.get(), [this](const grpc::Status& status) {
      OnAttemptEnd(FromGrpcStatus(status));
    });
  }

  bool Finish(const absl::Status& status) override {
    if (!status.ok()) {
      Tell(done_, Outcome(status));
      return true;
    }
    std::optional<Outcome> outcome = rpc_.take(rpc_.message, std::move(reply_));
    if (!outcome.has_value()) return false;
    Tell(done_, *std::move(outcome));
    return true;
  }

  typename RpcT::Stub& stub_;
  RpcT rpc_;
  std::shared_ptr<typename RpcT::Reply> reply_;
  Callback done_;
};

// ReadArrays, over as many streams as it takes.
class ReadCall final : public internal::AsyncCall {
 public:
  ReadCall(const Stubs& stubs, const ClientOptions& options, const CallOptions& call,
           const GetArraysRequest& request, ArraySink* sink, AsyncClient::StatusCallback done)
      : AsyncCall(options, Deadline(options, call), true),
        stub_(*stubs.states),
        reader_(request, sink, call.on_progress),
        done_(std::move(done)) {}

 private:
  // One attempt.
  class Stream final : public grpc::ClientReadReactor<v1::ReadArraysResponse> {
   public:
    Stream(ReadCall* call, grpc::ClientContext* context) : call_(call), context_(context) {}

    void Start() {
      call_->stub_.async()->ReadArrays(context_, &call_->reader_.NextRequest(), this);
      StartRead(&message_);
      StartCall();
    }

    void OnReadDone(bool ok) override {
      if (!ok) return;
      if (call_->reader_.Take(message_)) {
        StartRead(&message_);
      } else {
        context_->TryCancel();
      }
    }

    void OnDone(const grpc::Status& status) override {
      call_->OnAttemptEnd(call_->reader_.EndStream(FromGrpcStatus(status)));  // Destroys this.
    }

   private:
    ReadCall* const call_;
    grpc::ClientContext* const context_;
    v1::ReadArraysResponse message_;
  };

  void Send(grpc::ClientContext& context) override { stream_.emplace(this, &context).Start(); }

  bool Finish(const absl::Status& status) override {
    Tell(done_, status.ok() ? reader_.Outcome() : status);
    return true;
  }

  v1::StateService::StubInterface& stub_;
  ArrayReader reader_;
  AsyncClient::StatusCallback done_;
  std::optional<Stream> stream_;
};

}  // namespace

void PendingCall::Cancel() const {
  if (const std::shared_ptr<internal::AsyncCall> call = call_.lock(); call != nullptr) call->Cancel();
}

std::unique_ptr<AsyncClient> AsyncClient::Connect(ClientOptions options) {
  Stubs stubs = ConnectStubs(options);
  return std::make_unique<AsyncClient>(std::move(stubs), std::move(options));
}

AsyncClient::AsyncClient(Stubs stubs, ClientOptions options)
    : stubs_(std::move(stubs)),
      options_(std::move(options)),
      outstanding_(std::make_unique<internal::OutstandingCalls>()) {}

AsyncClient::~AsyncClient() { outstanding_->End(); }

PendingCall AsyncClient::Start(std::shared_ptr<internal::AsyncCall> call) {
  outstanding_->Start(call);
  return PendingCall(call);
}

template <typename RpcT, typename Done>
PendingCall AsyncClient::Start(RpcT rpc, Done done, const CallOptions& options) {
  return Start(std::make_shared<UnaryCall<RpcT>>(stubs_, options_, options, std::move(rpc), std::move(done)));
}

PendingCall AsyncClient::LoadModel(const std::string& name, Callback<v1::ModelInfo> done,
                                   const CallOptions& options) {
  return Start(LoadModelRpc(name), std::move(done), options);
}

PendingCall AsyncClient::UnloadModel(const ModelRef& model, StatusCallback done, const CallOptions& options) {
  return Start(UnloadModelRpc(model), std::move(done), options);
}

PendingCall AsyncClient::GetModel(const ModelRef& model, Callback<v1::ModelInfo> done,
                                  const CallOptions& options) {
  return Start(GetModelRpc(model), std::move(done), options);
}

PendingCall AsyncClient::ListModels(Callback<std::vector<v1::ModelInfo>> done, const CallOptions& options) {
  return Start(ListModelsRpc(), std::move(done), options);
}

PendingCall AsyncClient::MakeState(const MakeStateRequest& request, Callback<v1::MakeStateResponse> done,
                                   const CallOptions& options) {
  return Start(MakeStateRpc(request), std::move(done), options);
}

PendingCall AsyncClient::Step(const StepRequest& request, Callback<StepResult> done,
                              const CallOptions& options) {
  return Start(StepRpc(request), std::move(done), options);
}

PendingCall AsyncClient::BatchStep(const BatchStepRequest& request, Callback<BatchStepResult> done,
                                   const CallOptions& options) {
  return Start(BatchStepRpc(request), std::move(done), options);
}

PendingCall AsyncClient::Scan(const ScanRequest& request, Callback<ScanResult> done,
                              const CallOptions& options) {
  return Start(ScanRpc(request), std::move(done), options);
}

PendingCall AsyncClient::SetArrays(const SetArraysRequest& request, Callback<v1::Snapshot> done,
                                   const CallOptions& options) {
  return Start(SetArraysRpc(request), std::move(done), options);
}

PendingCall AsyncClient::GetArrays(const GetArraysRequest& request, Callback<GetArraysResult> done,
                                   const CallOptions& options) {
  return Start(GetArraysRpc(request), std::move(done), options);
}

PendingCall AsyncClient::ReadArrays(const GetArraysRequest& request, Callback<GetArraysResult> done,
                                    const CallOptions& options) {
  auto sink = std::make_unique<AssemblingSink>();
  AssemblingSink& borrowed = *sink;
  return ReadArrays(
      request, borrowed,
      [sink = std::move(sink), done = std::move(done)](const absl::Status& status) mutable {
        done(status.ok() ? std::move(*sink).Finish() : status);
      },
      options);
}

PendingCall AsyncClient::ReadArrays(const GetArraysRequest& request, ArraySink& sink, StatusCallback done,
                                    const CallOptions& options) {
  return Start(std::make_shared<ReadCall>(stubs_, options_, options, request, &sink, std::move(done)));
}

PendingCall AsyncClient::GetSnapshot(const StateRef& state, Callback<v1::Snapshot> done,
                                     const CallOptions& options) {
  return Start(GetSnapshotRpc(state), std::move(done), options);
}

PendingCall AsyncClient::DiffSnapshots(const DiffSnapshotsRequest& request,
                                       Callback<v1::DiffSnapshotsResponse> done, const CallOptions& options) {
  return Start(DiffSnapshotsRpc(request), std::move(done), options);
}

PendingCall AsyncClient::ListSnapshots(const ListSnapshotsRequest& request,
                                       Callback<v1::ListSnapshotsResponse> done, const CallOptions& options) {
  return Start(ListSnapshotsRpc(request), std::move(done), options);
}

PendingCall AsyncClient::DeleteSnapshots(const DeleteSnapshotsRequest& request,
                                         Callback<v1::DeleteSnapshotsResponse> done,
                                         const CallOptions& options) {
  return Start(DeleteSnapshotsRpc(request), std::move(done), options);
}

PendingCall AsyncClient::UpdateSnapshot(const UpdateSnapshotRequest& request, Callback<v1::Snapshot> done,
                                        const CallOptions& options) {
  return Start(UpdateSnapshotRpc(request), std::move(done), options);
}

PendingCall AsyncClient::CreateBranch(const CreateBranchRequest& request, Callback<v1::Branch> done,
                                      const CallOptions& options) {
  return Start(CreateBranchRpc(request), std::move(done), options);
}

PendingCall AsyncClient::ListBranches(const ListBranchesRequest& request,
                                      Callback<v1::ListBranchesResponse> done, const CallOptions& options) {
  return Start(ListBranchesRpc(request), std::move(done), options);
}

PendingCall AsyncClient::UpdateBranch(const UpdateBranchRequest& request, Callback<v1::Branch> done,
                                      const CallOptions& options) {
  return Start(UpdateBranchRpc(request), std::move(done), options);
}

PendingCall AsyncClient::DeleteBranch(const DeleteBranchRequest& request, StatusCallback done,
                                      const CallOptions& options) {
  return Start(DeleteBranchRpc(request), std::move(done), options);
}

PendingCall AsyncClient::CreateBackup(const std::string& name, Callback<v1::CreateBackupResponse> done,
                                      const CallOptions& options) {
  return Start(CreateBackupRpc(name), std::move(done), options);
}

PendingCall AsyncClient::GetBranch(const std::string& name, Callback<v1::Branch> done,
                                   const CallOptions& options) {
  return Start(GetBranchRpc(name), std::move(done), options);
}

}  // namespace stepwell::client
