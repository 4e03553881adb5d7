#include "stepwell/storage/retention_policy.h"

#include "absl/strings/str_cat.h"

namespace stepwell {
namespace {

absl::Status CheckCount(const char* field, const std::optional<int64_t>& count) {
  if (count.value_or(1) >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("retention.", field, " is ", *count, "; expected at least 1, or none"));
}

}  // namespace

absl::Status CheckRetentionPolicy(const RetentionPolicy& policy) {
  for (const absl::Status& checked :
       {CheckCount("keep_last", policy.keep_last), CheckCount("keep_every", policy.keep_every)}) {
    if (!checked.ok()) return checked;
  }
  if (policy.max_age.value_or(absl::ZeroDuration()) >= absl::ZeroDuration()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "retention.max_age is ", absl::FormatDuration(*policy.max_age), "; expected 0 or more, or none"));
}

}  // namespace stepwell
