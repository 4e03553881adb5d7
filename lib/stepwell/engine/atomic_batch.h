#ifndef STEPWELL_ENGINE_ATOMIC_BATCH_H_
#define STEPWELL_ENGINE_ATOMIC_BATCH_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stepwell/engine/request_ids.h"
#include "stepwell/engine/requests.h"
#include "stepwell/engine/step.h"
#include "stepwell/engine/transition.h"

namespace stepwell {

// Steps all that one request names, or none: prepares each, computes all of them, and commits them as one.
//
// Every step has the turn of its branch until then. They enter one after the other, in the order of their
// branches' names, so that two batches never wait for each other. When one fails, the others end with an
// error that says which. Keeps itself alive until the last has ended, and moves between threads, on one at a
// time.
class AtomicBatch final : public StepGatherer, public std::enable_shared_from_this<AtomicBatch> {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<BatchStepResult>)>;

  // `request` is one that CheckBatch allows; `key` is what it is remembered under, and each step beside it.
  // `context` says that nothing runs inline.
  AtomicBatch(const TransitionContext& context, BatchStepRequest&& request,
              const std::optional<RequestKey>& key, Callback&& done);

  // Call once. QUEUE_FULL: the pool's queue.
  void Start();

  // For the steps.
  bool Add(std::shared_ptr<Step> step) override;

 private:
  // Prepares step after step, until one has to wait.
  void PrepareSteps();
  // The step that was entered last is prepared or has failed.
  void OnArrived();
  void Compute();
  void Commit(std::vector<NewVersions> versions);
  // Ends every step that has not, since `failed` did.
  void GiveUp(size_t failed, absl::Status why);
  void OnResult(size_t at, absl::StatusOr<StepResult> result);

  const TransitionContext& context_;
  BatchStepRequest request_;
  const std::optional<RequestKey> key_;
  Callback done_;

  std::vector<size_t> order_;  // In which steps enter.
  size_t entered_ = 0;         // Of them.
  std::vector<std::shared_ptr<Step>>
      steps_;                     // That are prepared and have not ended, where they stand in the request.
  std::optional<size_t> failed_;  // While steps are prepared.
  std::atomic<int> not_yet_ = 0;  // Of two things: Start has returned, and the step has arrived.
  BatchStepResult result_;
  size_t left_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_ATOMIC_BATCH_H_
