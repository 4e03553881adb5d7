#ifndef STEPWELL_ENGINE_BRANCH_CHANGE_H_
#define STEPWELL_ENGINE_BRANCH_CHANGE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stepwell/base/clock.h"
#include "stepwell/engine/branches.h"
#include "stepwell/engine/requests.h"
#include "stepwell/engine/turn_queues.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// Changes a branch or deletes it, in its turn among the steps that move it. Keeps itself alive while
// something is under way.
class BranchChange : public std::enable_shared_from_this<BranchChange> {
 public:
  // What is to become of the branch.
  struct Change {
    bool is_deletion = false;
    UpdateBranchRequest update;
    Durability durability = Durability::kAsync;
    std::optional<RequestKey> key;
  };
  // The branch as it is after the change, or as it was before it was deleted.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<BranchRecord>)>;

  BranchChange(Branches* branches, Store* store, TurnQueues* queues, const Clock* clock, Change change,
               Callback done)
      : branches_(branches),
        store_(store),
        queues_(queues),
        clock_(clock),
        change_(std::move(change)),
        done_(std::move(done)) {}

  void Start();

 private:
  void TakeTurn();
  void OnBranch(absl::StatusOr<BranchRecord> branch);
  void OnNewHead(absl::StatusOr<std::shared_ptr<const SnapshotRecord>> head);
  void Commit();
  void LeaveTurn();
  void End(absl::StatusOr<BranchRecord> result);

  Branches* const branches_;
  Store* const store_;
  TurnQueues* const queues_;
  const Clock* const clock_;
  Change change_;
  Callback done_;
  bool has_turn_ = false;
  BranchRecord branch_;
  std::optional<Version> new_head_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_BRANCH_CHANGE_H_
