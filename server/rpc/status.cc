#include "server/rpc/status.h"

#include <string>

#include "server/rpc/error_info.pb.h"
#include "stepwell/base/error_info.h"

namespace stepwell::server {

v1::Status ToProto(const absl::Status& status) {
  v1::Status message;
  message.set_code(static_cast<int>(status.code()));
  message.set_message(std::string(status.message()));
  const ErrorInfo info = GetErrorInfo(status);
  if (info.reason.empty()) return message;
  google::rpc::ErrorInfo details;  // The name under which clients of every language look for it.
  details.set_reason(info.reason);
  details.set_domain("stepwell");
  for (const auto& [key, value] : info.metadata) (*details.mutable_metadata())[key] = value;
  message.add_details()->PackFrom(details);
  return message;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code =
      static_cast<grpc::StatusCode>(status.code());  // The codes are the same, number by number.
  const v1::Status message = ToProto(status);
  return grpc::Status(code, message.message(), message.details().empty() ? "" : message.SerializeAsString());
}

}  // namespace stepwell::server
