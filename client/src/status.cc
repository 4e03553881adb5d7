#include "client/src/status.h"

#include <optional>

#include "absl/strings/cord.h"
#include "stepwell/client/status.h"

namespace stepwell::client {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";

std::optional<v1::ErrorInfo> FindErrorInfo(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorInfoUrl);
  v1::ErrorInfo info;
  if (!payload.has_value() || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  return info;
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  v1::Status message;
  if (!message.ParseFromString(status.error_details())) message.Clear();
  message.set_code(static_cast<int>(status.error_code()));
  message.set_message(status.error_message());
  return FromProto(message);
}

absl::Status FromProto(const v1::Status& status) {
  absl::Status result(static_cast<absl::StatusCode>(status.code()), status.message());
  if (result.ok()) return result;
  for (const google::protobuf::Any& any : status.details()) {
    if (any.type_url() == kErrorInfoUrl) result.SetPayload(kErrorInfoUrl, absl::Cord(any.value()));
  }
  return result;
}

std::string ErrorReason(const absl::Status& status) {
  const std::optional<v1::ErrorInfo> info = FindErrorInfo(status);
  return info.has_value() ? info->reason() : "";
}

std::string ErrorMetadata(const absl::Status& status, absl::string_view key) {
  const std::optional<v1::ErrorInfo> info = FindErrorInfo(status);
  if (!info.has_value()) return "";
  const auto found = info->metadata().find(std::string(key));
  return found == info->metadata().end() ? "" : found->second;
}

std::map<std::string, std::string> ErrorMetadata(const absl::Status& status) {
  const std::optional<v1::ErrorInfo> info = FindErrorInfo(status);
  if (!info.has_value()) return {};
  return {info->metadata().begin(), info->metadata().end()};
}

}  // namespace stepwell::client
