#ifndef STEPWELL_ENGINE_TRANSITION_H_
#define STEPWELL_ENGINE_TRANSITION_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "stepwell/base/clock.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/engine/branches.h"
#include "stepwell/engine/fitted_state.h"
#include "stepwell/engine/requests.h"
#include "stepwell/engine/snapshot_writer.h"
#include "stepwell/engine/turn_queues.h"
#include "stepwell/model/repository.h"
#include "stepwell/state/snapshot_cache.h"
#include "stepwell/storage/store.h"

namespace stepwell {

class StepQueues;

// What a transition works with; all of it outlives every transition.
struct TransitionContext {
  Store* store;
  ModelRepository* models;
  SnapshotCache* cache;
  SnapshotWriter* writer;
  Branches* branches;
  TurnQueues* queues;
  StepQueues* step_queues;
  WorkerPool* pool;
  const Clock* clock;
  absl::Duration inline_limit;  // What takes longer waits; with zero, everything does.
  size_t max_queued;            // Of the pool; for the message when it is full.
  Durability default_durability;
};

// From one version of a state to the next: waits for its turn when the state is a branch's head, gets the
// snapshot, computes what changes, commits it, and gives the turn on. Step and SetArrays say what changes.
//
// A transition keeps itself alive while something is under way, and moves between threads, on one at a time.
class Transition : public std::enable_shared_from_this<Transition> {
 public:
  virtual ~Transition() = default;

  // Takes the first step; the last one calls Finish.
  void Start();

 protected:
  // How the state is chosen and the result is stored.
  struct Target {
    StateRef state;
    std::optional<Version> expected_head;
    Labels labels;
    std::optional<Durability> durability;
    CallContext call;
    std::optional<RequestKey> request;  // To remember what comes of it.
    RevisionChoice revision;            // Of the model.
    bool adapt_state = false;
  };

  Transition(const TransitionContext& context, Target target)
      : context_(context), target_(std::move(target)) {}

  // Checks the request against model(). Nothing has been computed yet.
  virtual absl::Status Prepare() = 0;
  // What Compute will take, or zero when that is not known.
  virtual absl::Duration ComputeTime() const = 0;
  // The versions to make, each from the one before; none, when none is to be minted.
  virtual absl::StatusOr<NewVersions> Compute() = 0;
  // Of model(): what writes the snapshot that this makes; null when no method does.
  virtual const Method* method() const = 0;
  // Called when Compute is not to run inside the call that has prepared this: a worker is to call Run.
  virtual void Wait();
  // Called at most once, before Finish: others can see the newest snapshot, which is not yet durable, as
  // asked.
  virtual void TellVisible() {}
  // Called once: with the newest snapshot, with the one that this started from when none was minted, or with
  // the error.
  virtual void Finish(absl::StatusOr<std::shared_ptr<const Snapshot>> result) = 0;

  // The state that this starts from, as model() takes it.
  absl::Span<const Array> state() const { return base_.arrays(); }
  const Model& model() const { return *base_.model(); }
  bool moves_revision() const { return model().revision() != base_.snapshot()->record().origin->revision; }
  const CallContext& call() const { return target_.call; }
  const TransitionContext& context() const { return context_; }
  absl::Span<const std::shared_ptr<const Snapshot>> made() const { return made_; }  // Oldest first.

  void Run();

  // What Run consists of once the versions are computed, for who commits several transitions at once: this
  // adds what is to be committed to `writes`, by whose callbacks it ends, or ends when there is nothing.
  void Conclude(absl::StatusOr<NewVersions>&& versions, std::vector<SnapshotWrite>& writes);

  // The same in parts, for who commits all of several transitions or none: what commits `versions`, of which
  // there is one at least; what else is to be remembered, when there are none; what both lead to.
  void FillDraft(SnapshotDraft& draft, NewVersions&& versions);
  std::optional<RequestRecord> ToRequestRecord() const;
  void OnVisible(absl::StatusOr<Snapshots>&& made);
  void OnDurable(absl::Status durable);

  // Gives the turn on, and calls Finish.
  void End(absl::StatusOr<std::shared_ptr<const Snapshot>> result);

 private:
  void TakeTurn();
  void OnHead(absl::StatusOr<BranchRecord> branch);
  void GetBase(Version version);
  void OnBase(absl::StatusOr<std::shared_ptr<const Snapshot>> base);
  // Whether the revision to run is kept and not loaded: then this goes on once it is, with `base`.
  bool WaitsForRevision(const std::shared_ptr<const Snapshot>& base);
  // Whether `versions` are none, or an error: then this ends, or does when that is remembered.
  bool EndsWithout(const absl::StatusOr<NewVersions>& versions);
  void FillWrite(SnapshotWrite& write, NewVersions&& versions);
  void RememberAlone();
  void LeaveTurn();
  Durability durability() const { return target_.durability.value_or(context_.default_durability); }

  const TransitionContext& context_;
  Target target_;
  std::optional<std::string> turn_;  // The branch whose turn this has.
  FittedState base_;
  Snapshots made_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_TRANSITION_H_
