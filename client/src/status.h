#ifndef STEPWELL_CLIENT_SRC_STATUS_H_
#define STEPWELL_CLIENT_SRC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"
#include "stepwell/v1/error.pb.h"

namespace stepwell::client {

// The same code and message, with the ErrorInfo of the details as a payload.
absl::Status FromGrpcStatus(const grpc::Status& status);

// The same, of a status that a message bears.
absl::Status FromProto(const v1::Status& status);

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_SRC_STATUS_H_
