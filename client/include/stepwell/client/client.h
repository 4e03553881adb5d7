#ifndef STEPWELL_CLIENT_CLIENT_H_
#define STEPWELL_CLIENT_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "stepwell/client/options.h"
#include "stepwell/client/status.h"
#include "stepwell/client/types.h"
#include "stepwell/v1/branch_service.grpc.pb.h"
#include "stepwell/v1/model_service.grpc.pb.h"
#include "stepwell/v1/state_service.grpc.pb.h"

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
/// Thread-safe.
class Client {
 public:
  /// The stubs that calls go through; a test brings its own.
  struct Stubs {
    std::unique_ptr<v1::ModelService::StubInterface> models;
    std::unique_ptr<v1::StateService::StubInterface> states;
    std::unique_ptr<v1::BranchService::StubInterface> branches;
  };

  /// A client of the server at options.address. Connects at the first call.
  static std::unique_ptr<Client> Connect(ClientOptions options = {});

  Client(Stubs stubs, ClientOptions options);

  // Models.
  absl::StatusOr<v1::ModelInfo> LoadModel(const std::string& name, const CallOptions& options = {});
  absl::Status UnloadModel(const std::string& name, const CallOptions& options = {});
  absl::StatusOr<v1::ModelInfo> GetModel(const std::string& name, const CallOptions& options = {});
  /// Every model, however many pages they take.
  absl::StatusOr<std::vector<v1::ModelInfo>> ListModels(const CallOptions& options = {});

  // States.
  absl::StatusOr<v1::MakeStateResponse> MakeState(const MakeStateRequest& request,
                                                  const CallOptions& options = {});
  absl::StatusOr<StepResult> Step(const StepRequest& request, const CallOptions& options = {});
  absl::StatusOr<v1::Snapshot> SetArrays(const SetArraysRequest& request, const CallOptions& options = {});
  absl::StatusOr<GetArraysResult> GetArrays(const GetArraysRequest& request, const CallOptions& options = {});
  /// As GetArrays, without a limit on the bytes: they come in chunks. A stream that breaks is taken up where
  /// it broke.
  absl::StatusOr<GetArraysResult> ReadArrays(const GetArraysRequest& request,
                                             const CallOptions& options = {});
  absl::StatusOr<v1::Snapshot> GetSnapshot(const StateRef& state, const CallOptions& options = {});

  // Branches.
  absl::StatusOr<v1::Branch> CreateBranch(const std::string& name, const StateRef& state,
                                          const Labels& labels = {}, const CallOptions& options = {});
  absl::StatusOr<v1::Branch> GetBranch(const std::string& name, const CallOptions& options = {});

 private:
  absl::Time Deadline(const CallOptions& options) const;

  const Stubs stubs_;
  const ClientOptions options_;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_CLIENT_H_
