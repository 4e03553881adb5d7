#ifndef STEPWELL_BASE_ERROR_INFO_H_
#define STEPWELL_BASE_ERROR_INFO_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace stepwell {

// What a program branches on, beside the code of a status: a stable reason such as "SNAPSHOT_EVICTED" and
// named values such as {"current_head", "17"}. A status carries it as payloads, so that it survives every
// layer; the server's edge turns it into a google.rpc.ErrorInfo.
struct ErrorInfo {
  std::string reason;                                         // Empty: the status bears none.
  std::vector<std::pair<std::string, std::string>> metadata;  // Sorted by key.
};

// `status` with `reason` and `metadata` attached. `status` must not be OK.
absl::Status WithErrorInfo(absl::Status status, absl::string_view reason,
                           const std::vector<std::pair<std::string, std::string>>& metadata = {});

// What WithErrorInfo attached, or an empty ErrorInfo.
ErrorInfo GetErrorInfo(const absl::Status& status);

}  // namespace stepwell

#endif  // STEPWELL_BASE_ERROR_INFO_H_
