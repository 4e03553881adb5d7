#ifndef STEPWELL_STORAGE_RETENTION_POLICY_H_
#define STEPWELL_STORAGE_RETENTION_POLICY_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace stepwell {

// Which snapshots of a history are kept, beside those that always are: heads, roots, pinned and labelled
// ones. Each rule that is given keeps some; what none of them keeps may be dropped. Without any rule, all are
// kept.
struct RetentionPolicy {
  std::optional<int64_t> keep_last;       // The newest so many, the head among them.
  std::optional<int64_t> keep_every;      // Those whose step_count is a multiple of it.
  std::optional<absl::Duration> max_age;  // Those that were made less long ago.

  bool keeps_all() const { return !keep_last.has_value() && !keep_every.has_value() && !max_age.has_value(); }

  friend bool operator==(const RetentionPolicy&, const RetentionPolicy&) = default;
};

// INVALID_ARGUMENT: a count below 1, or a negative age.
absl::Status CheckRetentionPolicy(const RetentionPolicy& policy);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_RETENTION_POLICY_H_
