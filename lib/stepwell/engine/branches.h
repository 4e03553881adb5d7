#ifndef STEPWELL_ENGINE_BRANCHES_H_
#define STEPWELL_ENGINE_BRANCHES_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "stepwell/base/clock.h"
#include "stepwell/engine/request_ids.h"
#include "stepwell/engine/requests.h"
#include "stepwell/engine/turn_queues.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// The branches of a store. One that has expired is nowhere to be seen, and is deleted when DropExpired runs;
// until then, a new one may take its name. Thread-safe.
class Branches {
 public:
  template <typename T>
  using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  // Nothing is owned, and all of it must outlive this.
  Branches(Store* store, TurnQueues* queues, const Clock* clock, Durability default_durability)
      : store_(store), queues_(queues), clock_(clock), default_durability_(default_durability) {}

  // NOT_FOUND.
  void Read(absl::string_view name, Callback<BranchRecord> done);

  // The version that `state` stands for now, which may not exist. NOT_FOUND: the branch.
  void Resolve(const StateRef& state, Callback<Version> done);

  // See Engine. `key` is what the request is remembered under.
  void Create(CreateBranchRequest request, std::optional<RequestKey> key, Callback<BranchRecord> done);
  void List(ListBranchesRequest request, Callback<ListBranchesResult> done);
  void Update(UpdateBranchRequest request, std::optional<RequestKey> key, Callback<BranchRecord> done);
  void Delete(DeleteBranchRequest request, std::optional<RequestKey> key, Callback<BranchRecord> done);

  // Begins to delete what has expired.
  void DropExpired();

 private:
  bool IsExpired(const BranchRecord& branch) const {
    return branch.expire_time != absl::InfiniteFuture() && branch.expire_time <= clock_->Now();
  }
  // Remembers to delete `name` then; what has been changed meanwhile is seen then.
  void NoteExpiry(absl::string_view name, absl::Time expire_time) ABSL_LOCKS_EXCLUDED(mutex_);

  Store* const store_;
  TurnQueues* const queues_;
  const Clock* const clock_;
  const Durability default_durability_;

  absl::Mutex mutex_;
  absl::btree_set<std::pair<absl::Time, std::string>> expiring_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_BRANCHES_H_
