#ifndef STEPWELL_STATE_RETENTION_H_
#define STEPWELL_STATE_RETENTION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "stepwell/base/clock.h"
#include "stepwell/state/retention_rules.h"
#include "stepwell/state/snapshot_cache.h"
#include "stepwell/storage/store.h"

namespace stepwell {

struct RetentionOptions {
  RetentionPolicy policy;  // Of models that have none of their own.
  // What was made less long ago is kept, whatever a policy says, so that a step can be repeated and a stream
  // be taken up again; 0: nothing is kept for that.
  absl::Duration min_age = absl::Minutes(1);
  absl::Duration pause = absl::Seconds(10);  // From the end of a sweep to the next.
  int64_t max_drops_per_second = 10'000;     // At least 1.
  size_t batch_size = 256;                   // Snapshots that are read, and dropped, at a time; at least 1.
};

// Drops the snapshots that no policy keeps, and deletes branches that have expired: sweep by sweep, each from
// the newest snapshot to the oldest, in small parts, of which none holds up a step.
//
// A snapshot stays when it is a root, a branch's head, pinned or labelled (IsLabelled), when it is younger
// than the options say, or when the policy of a branch that it is an ancestor of keeps it: the branch's own,
// else its model's. One that is no branch's ancestor stays until its model's max_age. Of a model that has no
// policy, as one that is not loaded, everything stays.
//
// A sweep goes by the branches and the time at its begin: what comes later counts from the next one on, but
// for what the store is asked again when it drops. What a sweep knows is a few words for each branch, and is
// lost with the process; the next one begins anew. Thread-compatible.
class Retention {
 public:
  using Policies = absl::flat_hash_map<std::string, RetentionPolicy>;  // By model.

  // `policies` is asked at the begin of each sweep. `store`, `cache` and `clock` must outlive this.
  Retention(const RetentionOptions& options, Store* store, SnapshotCache* cache, const Clock* clock,
            absl::AnyInvocable<Policies() const> policies);

  // Does the next part, and waits for the store in it; says after what pause the one after that may be done.
  // Errors are the store's; then a sweep begins anew.
  absl::StatusOr<absl::Duration> Work();

  // From now on, until a sweep begins after as many calls of Release with the same version, every snapshot
  // from `first` on stays: for those that no branch leads to yet. Thread-safe.
  void Hold(Version first) ABSL_LOCKS_EXCLUDED(mutex_);
  void Release(Version first) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What branches keep from a snapshot on, towards the root.
  struct Lineage {
    RetentionRules rules;
    bool is_head = false;
    Version from{0};  // Descends from that snapshot, or is it, and stays: a place to look for ancestors.
  };
  struct Sweep {
    absl::Time begin;
    Policies policies;
    bool drops_any = false;  // Some policy may.
    std::string last_branch;
    bool has_branches = false;  // All of them.
    Version before{0};          // Everything from here on was looked at.
    // By the snapshot that is next on each way: those of branches that meet go on as one.
    absl::btree_map<Version, Lineage, std::greater<>> lineages;
  };

  Sweep Begin() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsHeld(Version version) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration End();
  absl::StatusOr<absl::Duration> ReadBranches();
  absl::StatusOr<absl::Duration> ReadSnapshots();
  void AddBranch(const BranchRecord& branch);
  // Whether it was there, and had expired.
  bool DeleteExpired(const BranchRecord& branch);
  void AddLineage(Version next, const Lineage& lineage);
  bool Keeps(const SnapshotRecord& record);
  // Those above `version` stand on snapshots that are gone: they go on from the ancestors that are left.
  absl::Status MendLineages(Version version);
  // Drops those that the store does not refuse; how many.
  absl::StatusOr<int64_t> Drop(std::vector<Version> versions);

  const RetentionOptions options_;
  Store* const store_;
  SnapshotCache* const cache_;
  const Clock* const clock_;
  const absl::AnyInvocable<Policies() const> policies_;
  std::optional<Sweep> sweep_;  // That is under way.

  mutable absl::Mutex mutex_;
  absl::btree_multiset<Version> held_from_ ABSL_GUARDED_BY(mutex_);
  // The least of those that were held since the sweep began.
  Version kept_from_ ABSL_GUARDED_BY(mutex_) = Version(std::numeric_limits<int64_t>::max());
};

}  // namespace stepwell

#endif  // STEPWELL_STATE_RETENTION_H_
