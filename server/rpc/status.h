#ifndef STEPWELL_SERVER_RPC_STATUS_H_
#define STEPWELL_SERVER_RPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"
#include "stepwell/v1/error.pb.h"

namespace stepwell::server {

// The one place where a status leaves for the wire: the same code and message, and what ErrorInfo the status
// bears as google.rpc.ErrorInfo of the domain "stepwell" in the details.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The same as a message, for a reply that bears a status of its own.
v1::Status ToProto(const absl::Status& status);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_STATUS_H_
