#ifndef STEPWELL_CLIENT_CLIENT_H_
#define STEPWELL_CLIENT_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "stepwell/client/array_sink.h"
#include "stepwell/client/branch_watch.h"
#include "stepwell/client/move.h"
#include "stepwell/client/options.h"
#include "stepwell/client/status.h"
#include "stepwell/client/stream.h"
#include "stepwell/client/stubs.h"
#include "stepwell/client/types.h"

namespace stepwell::client {

/// A Stepwell server, over one channel. Every call blocks until it is answered or its time is over.
///
///     auto client = Client::Connect({.address = "127.0.0.1:7350"});
///     auto made = client->MakeState({.model = "counter"});
///     auto stepped = client->Step({.state = Version{made->snapshot().version()},
///                                  .inputs = {{"x", Array::Scalar<int32_t>(1)}}});
///
/// Errors are the server's, see the services' protos, with their reason (ErrorReason). Beside them:
/// UNAVAILABLE when no server answers, DEADLINE_EXCEEDED. A call that fails with UNAVAILABLE is repeated, as
/// RetryOptions say, when it is a read or has a request_id. Arrays in results share the reply's memory.
/// AsyncClient has the same calls without the waiting. Thread-safe.
class Client {
 public:
  /// A client of the server at options.address. Connects at the first call.
  static std::unique_ptr<Client> Connect(ClientOptions options = {});

  Client(Stubs stubs, ClientOptions options);

  // Models.
  absl::StatusOr<v1::ModelInfo> LoadModel(const std::string& name, const CallOptions& options = {});
  /// Adds a package of this machine to the server's repository, and loads it. NOT_FOUND without a reason:
  /// there is none at that path. FAILED_PRECONDITION without a reason: a file of it cannot be read.
  absl::StatusOr<v1::ModelInfo> UploadModel(const UploadModelRequest& request,
                                            const CallOptions& options = {});
  absl::Status UnloadModel(const ModelRef& model, const CallOptions& options = {});
  absl::StatusOr<v1::ModelInfo> GetModel(const ModelRef& model, const CallOptions& options = {});
  /// Every model, however many pages they take.
  absl::StatusOr<std::vector<v1::ModelInfo>> ListModels(const CallOptions& options = {});

  // States.
  absl::StatusOr<v1::MakeStateResponse> MakeState(const MakeStateRequest& request,
                                                  const CallOptions& options = {});
  absl::StatusOr<StepResult> Step(const StepRequest& request, const CallOptions& options = {});
  /// Many steps under way at once; see Stream. The stubs' async() must not be null.
  absl::StatusOr<std::unique_ptr<Stream>> OpenStream(const StreamRequest& request,
                                                     const CallOptions& options = {});
  /// Steps of several states in one call, a status for each.
  absl::StatusOr<BatchStepResult> BatchStep(const BatchStepRequest& request, const CallOptions& options = {});
  /// Many steps in one call, committed as one.
  absl::StatusOr<ScanResult> Scan(const ScanRequest& request, const CallOptions& options = {});
  absl::StatusOr<v1::Snapshot> SetArrays(const SetArraysRequest& request, const CallOptions& options = {});
  /// As SetArrays, without a limit on the bytes: they go in chunks.
  absl::StatusOr<v1::Snapshot> WriteArrays(const SetArraysRequest& request, const CallOptions& options = {});
  absl::StatusOr<GetArraysResult> GetArrays(const GetArraysRequest& request, const CallOptions& options = {});
  /// As GetArrays, without a limit on the bytes: they come in chunks. A stream that breaks is taken up where
  /// it broke.
  absl::StatusOr<GetArraysResult> ReadArrays(const GetArraysRequest& request,
                                             const CallOptions& options = {});
  /// As ReadArrays, without holding whole arrays: `sink` gets what comes, on this thread.
  absl::Status ReadArrays(const GetArraysRequest& request, ArraySink& sink, const CallOptions& options = {});
  absl::StatusOr<v1::Snapshot> GetSnapshot(const StateRef& state, const CallOptions& options = {});
  /// One page, newest first.
  absl::StatusOr<v1::ListSnapshotsResponse> ListSnapshots(const ListSnapshotsRequest& request,
                                                          const CallOptions& options = {});
  absl::StatusOr<v1::Snapshot> UpdateSnapshot(const UpdateSnapshotRequest& request,
                                              const CallOptions& options = {});
  /// Deletes snapshots for good, all or none; what descends from them stays whole.
  absl::StatusOr<v1::DeleteSnapshotsResponse> DeleteSnapshots(const DeleteSnapshotsRequest& request,
                                                              const CallOptions& options = {});
  /// How two states differ, index by index, also of different revisions or models.
  absl::StatusOr<v1::DiffSnapshotsResponse> DiffSnapshots(const DiffSnapshotsRequest& request,
                                                          const CallOptions& options = {});

  // Moving states between servers.
  /// Gives `take` a header, then the snapshots, oldest first, each followed by the bytes of what it has that
  /// the one before it has not. An error of `take` ends it and is returned. Never repeated.
  absl::Status ExportSnapshots(const ExportSnapshotsRequest& request,
                               absl::FunctionRef<absl::Status(const v1::ExportSnapshotsResponse&)> take,
                               const CallOptions& options = {});
  /// Makes the snapshots that `send` sends, and a branch on the last; what fails leaves nothing. An error of
  /// `send` breaks it off and is returned. Never repeated: with a request_id, the caller may.
  absl::StatusOr<v1::ImportSnapshotsResponse> ImportSnapshots(
      const ImportSnapshotsRequest& request, absl::FunctionRef<absl::Status(SnapshotSender&)> send,
      const CallOptions& options = {});

  // Branches.
  absl::StatusOr<v1::Branch> CreateBranch(const CreateBranchRequest& request,
                                          const CallOptions& options = {});
  absl::StatusOr<v1::Branch> GetBranch(const std::string& name, const CallOptions& options = {});
  /// One page, in the order of names.
  absl::StatusOr<v1::ListBranchesResponse> ListBranches(const ListBranchesRequest& request,
                                                        const CallOptions& options = {});
  absl::StatusOr<v1::Branch> UpdateBranch(const UpdateBranchRequest& request,
                                          const CallOptions& options = {});
  absl::Status DeleteBranch(const DeleteBranchRequest& request, const CallOptions& options = {});
  /// Follows the moves of branches; see BranchWatch. CallOptions::timeout is how long it may take to begin.
  /// The stubs' async() must not be null.
  absl::StatusOr<std::unique_ptr<BranchWatch>> WatchBranches(const WatchBranchesRequest& request,
                                                             const CallOptions& options = {});

  // Running a server.
  /// Copies the server's store to a new folder in its backup_dir, while it goes on; "": named by the time. It
  /// may take longer than other calls, and goes on when nobody waits any more.
  absl::StatusOr<v1::CreateBackupResponse> CreateBackup(const std::string& name,
                                                        const CallOptions& options = {});

 private:
  const Stubs stubs_;
  const ClientOptions options_;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_CLIENT_H_
