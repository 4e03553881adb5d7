#ifndef STEPWELL_CLIENT_STATUS_H_
#define STEPWELL_CLIENT_STATUS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace stepwell::client {

/// The stable reason of an error, such as "HEAD_MOVED"; empty when there is none. stepwell/v1/error.proto
/// lists them.
std::string ErrorReason(const absl::Status& status);

/// What the error says under `key`, such as "current_head"; empty when it says nothing.
std::string ErrorMetadata(const absl::Status& status, absl::string_view key);

/// All that the error says, by key.
std::map<std::string, std::string> ErrorMetadata(const absl::Status& status);

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_STATUS_H_
