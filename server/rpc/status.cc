#include "server/rpc/status.h"

#include <string>

#include "server/rpc/error_info.pb.h"
#include "stepwell/base/error_info.h"
#include "stepwell/v1/error.pb.h"

namespace stepwell::server {
namespace {

std::string Details(const absl::Status& status, const ErrorInfo& info) {
  google::rpc::ErrorInfo message;  // The name under which clients of every language look for it.
  message.set_reason(info.reason);
  message.set_domain("stepwell");
  for (const auto& [key, value] : info.metadata) (*message.mutable_metadata())[key] = value;
  v1::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(std::string(status.message()));
  details.add_details()->PackFrom(message);
  return details.SerializeAsString();
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code =
      static_cast<grpc::StatusCode>(status.code());  // The codes are the same, number by number.
  const ErrorInfo info = GetErrorInfo(status);
  return grpc::Status(code, std::string(status.message()), info.reason.empty() ? "" : Details(status, info));
}

}  // namespace stepwell::server
