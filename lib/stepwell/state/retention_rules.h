#ifndef STEPWELL_STATE_RETENTION_RULES_H_
#define STEPWELL_STATE_RETENTION_RULES_H_

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// What the branches that a snapshot is an ancestor of keep, on the way from their heads to their roots: what
// any of them keeps, is kept. Takes as much memory for many branches as for one. Thread-compatible.
class RetentionRules {
 public:
  // Keeps nothing.
  RetentionRules() = default;

  // Of a branch, at its head.
  explicit RetentionRules(const RetentionPolicy& policy);

  // Of a snapshot that is no branch's ancestor: it is neither a branch's last nor its k-th, so that its age
  // alone tells. Where a policy says nothing of that, it is kept.
  static RetentionRules OffBranches(const RetentionPolicy& policy);

  // From here on, also what `other` keeps.
  void Merge(const RetentionRules& other);

  // Whether the next on the way is kept at `now`. Each is to be asked for, as they are counted.
  bool KeepsNext(const SnapshotRecord& record, absl::Time now);

 private:
  int64_t last_ = 0;                               // So many from here on are kept,
  absl::Duration max_age_ = absl::ZeroDuration();  // and what is younger,
  absl::InlinedVector<int64_t, 1> every_;          // and multiples of these steps; each once.
};

}  // namespace stepwell

#endif  // STEPWELL_STATE_RETENTION_RULES_H_
