#include "stepwell/base/error_info.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace stepwell {
namespace {

constexpr absl::string_view kReasonUrl = "stepwell/reason";
constexpr absl::string_view kMetadataUrl = "stepwell/metadata/";

}  // namespace

absl::Status WithErrorInfo(absl::Status status, absl::string_view reason,
                           const std::vector<std::pair<std::string, std::string>>& metadata) {
  status.SetPayload(kReasonUrl, absl::Cord(reason));
  for (const auto& [key, value] : metadata) {
    status.SetPayload(absl::StrCat(kMetadataUrl, key), absl::Cord(value));
  }
  return status;
}

ErrorInfo GetErrorInfo(const absl::Status& status) {
  ErrorInfo info;
  status.ForEachPayload([&info](absl::string_view url, const absl::Cord& value) {
    if (url == kReasonUrl) {
      info.reason = std::string(value);
    } else if (absl::ConsumePrefix(&url, kMetadataUrl)) {
      info.metadata.emplace_back(url, std::string(value));
    }
  });
  std::sort(info.metadata.begin(), info.metadata.end());
  return info;
}

}  // namespace stepwell
