#include "stepwell/state/retention_rules.h"

#include <algorithm>

namespace stepwell {

RetentionRules::RetentionRules(const RetentionPolicy& policy)
    : last_(policy.keep_last.value_or(0)),
      max_age_(policy.keeps_all() ? absl::InfiniteDuration()
                                  : policy.max_age.value_or(absl::ZeroDuration())) {
  if (policy.keep_every.has_value()) every_.push_back(*policy.keep_every);
}

RetentionRules RetentionRules::OffBranches(const RetentionPolicy& policy) {
  return RetentionRules({.max_age = policy.max_age.value_or(absl::InfiniteDuration())});
}

void RetentionRules::Merge(const RetentionRules& other) {
  last_ = std::max(last_, other.last_);
  max_age_ = std::max(max_age_, other.max_age_);
  for (const int64_t steps : other.every_) {
    if (std::ranges::find(every_, steps) == every_.end()) every_.push_back(steps);
  }
}

bool RetentionRules::KeepsNext(const SnapshotRecord& record, absl::Time now) {
  const bool is_last = last_ > 0;
  if (is_last) --last_;
  return is_last || now - record.create_time < max_age_ ||
         std::ranges::any_of(every_, [&record](int64_t steps) { return record.step_count % steps == 0; });
}

}  // namespace stepwell
