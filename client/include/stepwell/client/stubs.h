#ifndef STEPWELL_CLIENT_STUBS_H_
#define STEPWELL_CLIENT_STUBS_H_

#include <memory>

#include "stepwell/client/options.h"
#include "stepwell/v1/admin_service.grpc.pb.h"
#include "stepwell/v1/branch_service.grpc.pb.h"
#include "stepwell/v1/model_service.grpc.pb.h"
#include "stepwell/v1/state_service.grpc.pb.h"

namespace stepwell::client {

/// The stubs that a client's calls go through, none of them null. A test brings its own.
struct Stubs {
  std::unique_ptr<v1::ModelService::StubInterface> models;
  std::unique_ptr<v1::StateService::StubInterface> states;
  std::unique_ptr<v1::BranchService::StubInterface> branches;
  std::unique_ptr<v1::AdminService::StubInterface> admin;
};

/// Stubs over one channel to the server at options.address. Connects at the first call; gRPC lets stubs of
/// the same address and options share a connection.
Stubs ConnectStubs(const ClientOptions& options);

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_STUBS_H_
