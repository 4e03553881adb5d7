#ifndef STEPWELL_CLIENT_ASYNC_CLIENT_H_
#define STEPWELL_CLIENT_ASYNC_CLIENT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stepwell/client/array_sink.h"
#include "stepwell/client/options.h"
#include "stepwell/client/status.h"
#include "stepwell/client/stubs.h"
#include "stepwell/client/types.h"

namespace stepwell::client {

namespace internal {
class AsyncCall;
class OutstandingCalls;
}  // namespace internal

/// A call that was started. It goes on whether or not this is kept; copies stand for the same call.
/// Thread-safe.
class PendingCall {
 public:
  /// Ends the call: its callback gets CANCELLED, unless the answer is there already. Returns at once. The
  /// server may have done what was asked nevertheless. Nothing when the call is over.
  void Cancel() const;

 private:
  friend class AsyncClient;
  explicit PendingCall(std::weak_ptr<internal::AsyncCall> call) : call_(std::move(call)) {}
  std::weak_ptr<internal::AsyncCall> call_;
};

/// A Stepwell server, over one channel, for callers that do not wait: each call returns at once, and any
/// number may be outstanding.
///
///     auto client = AsyncClient::Connect({.address = "127.0.0.1:7350"});
///     client->Step({.state = version, .inputs = {{"x", Array::Scalar<int32_t>(1)}}},
///                  [](absl::StatusOr<StepResult> result) { … });
///
/// Requests, results, errors, deadlines and repeats are those of Client; a pause before a repeat holds no
/// thread.
///
/// A callback runs exactly once, never inside the call that it belongs to, on a thread of gRPC, which serves
/// other calls too: it should not block. It may start further calls. What it captures is destroyed when it
/// has run. The destructor cancels every call that is outstanding, and any that a callback still starts, and
/// returns when all callbacks have run; it must not itself run in a callback. Thread-safe.
class AsyncClient {
 public:
  template <typename T>
  using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;
  using StatusCallback = absl::AnyInvocable<void(absl::Status)>;

  /// A client of the server at options.address. Connects at the first call.
  static std::unique_ptr<AsyncClient> Connect(ClientOptions options = {});

  /// The stubs' async() must not be null.
  AsyncClient(Stubs stubs, ClientOptions options);
  ~AsyncClient();

  // Models.
  PendingCall LoadModel(const std::string& name, Callback<v1::ModelInfo> done,
                        const CallOptions& options = {});
  PendingCall UnloadModel(const ModelRef& model, StatusCallback done, const CallOptions& options = {});
  PendingCall GetModel(const ModelRef& model, Callback<v1::ModelInfo> done, const CallOptions& options = {});
  /// Every model, however many pages they take.
  PendingCall ListModels(Callback<std::vector<v1::ModelInfo>> done, const CallOptions& options = {});

  // States.
  PendingCall MakeState(const MakeStateRequest& request, Callback<v1::MakeStateResponse> done,
                        const CallOptions& options = {});
  PendingCall Step(const StepRequest& request, Callback<StepResult> done, const CallOptions& options = {});
  /// Steps of several states in one call, a status for each.
  PendingCall BatchStep(const BatchStepRequest& request, Callback<BatchStepResult> done,
                        const CallOptions& options = {});
  /// Many steps in one call, committed as one.
  PendingCall Scan(const ScanRequest& request, Callback<ScanResult> done, const CallOptions& options = {});
  PendingCall SetArrays(const SetArraysRequest& request, Callback<v1::Snapshot> done,
                        const CallOptions& options = {});
  PendingCall GetArrays(const GetArraysRequest& request, Callback<GetArraysResult> done,
                        const CallOptions& options = {});
  /// As GetArrays, without a limit on the bytes: they come in chunks.
  PendingCall ReadArrays(const GetArraysRequest& request, Callback<GetArraysResult> done,
                         const CallOptions& options = {});
  /// As ReadArrays, into a sink that must live until `done` runs. It is called on threads of gRPC, one call
  /// after the other; the next chunk is asked for when it returns.
  PendingCall ReadArrays(const GetArraysRequest& request, ArraySink& sink, StatusCallback done,
                         const CallOptions& options = {});
  PendingCall GetSnapshot(const StateRef& state, Callback<v1::Snapshot> done,
                          const CallOptions& options = {});
  /// One page, newest first.
  PendingCall ListSnapshots(const ListSnapshotsRequest& request, Callback<v1::ListSnapshotsResponse> done,
                            const CallOptions& options = {});
  PendingCall UpdateSnapshot(const UpdateSnapshotRequest& request, Callback<v1::Snapshot> done,
                             const CallOptions& options = {});
  /// Deletes snapshots for good, all or none; what descends from them stays whole.
  PendingCall DeleteSnapshots(const DeleteSnapshotsRequest& request,
                              Callback<v1::DeleteSnapshotsResponse> done, const CallOptions& options = {});
  /// How two states differ, index by index, also of different revisions or models.
  PendingCall DiffSnapshots(const DiffSnapshotsRequest& request, Callback<v1::DiffSnapshotsResponse> done,
                            const CallOptions& options = {});

  // Branches.
  PendingCall CreateBranch(const CreateBranchRequest& request, Callback<v1::Branch> done,
                           const CallOptions& options = {});
  PendingCall GetBranch(const std::string& name, Callback<v1::Branch> done, const CallOptions& options = {});
  /// One page, in the order of names.
  PendingCall ListBranches(const ListBranchesRequest& request, Callback<v1::ListBranchesResponse> done,
                           const CallOptions& options = {});
  PendingCall UpdateBranch(const UpdateBranchRequest& request, Callback<v1::Branch> done,
                           const CallOptions& options = {});
  PendingCall DeleteBranch(const DeleteBranchRequest& request, StatusCallback done,
                           const CallOptions& options = {});

  // Running a server.
  /// Copies the server's store to a new folder in its backup_dir, while it goes on; "": named by the time.
  PendingCall CreateBackup(const std::string& name, Callback<v1::CreateBackupResponse> done,
                           const CallOptions& options = {});

 private:
  template <typename RpcT, typename Done>
  PendingCall Start(RpcT rpc, Done done, const CallOptions& options);
  PendingCall Start(std::shared_ptr<internal::AsyncCall> call);

  const Stubs stubs_;
  const ClientOptions options_;
  const std::unique_ptr<internal::OutstandingCalls> outstanding_;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_ASYNC_CLIENT_H_
