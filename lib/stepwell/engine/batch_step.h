#ifndef STEPWELL_ENGINE_BATCH_STEP_H_
#define STEPWELL_ENGINE_BATCH_STEP_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/engine/gathered_steps.h"
#include "stepwell/engine/request_ids.h"
#include "stepwell/engine/requests.h"
#include "stepwell/engine/step.h"
#include "stepwell/engine/transition.h"

namespace stepwell {

// Steps what one request names, each by itself, and gathers the results: prepares step after step, and runs
// those together that can be. Few steps are prepared where the request comes in, and run there, too, where
// that takes no longer than what else runs inline; more are shared out among the workers. Keeps itself alive
// until the last has ended.
class BatchStep : public std::enable_shared_from_this<BatchStep> {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<BatchStepResult>)>;
  // Steps one state, remembered under the key if there is one: prepares it on the calling thread as far as it
  // can, and gives it to the gatherer.
  using StepOne = absl::AnyInvocable<void(StepRequest&&, const std::optional<RequestKey>&,
                                          const std::shared_ptr<StepGatherer>&,
                                          absl::AnyInvocable<void(absl::StatusOr<StepResult>)>) const>;

  // `request` is one that CheckBatch allows. `context` is that of steps that run alone.
  BatchStep(const TransitionContext& context, BatchStepRequest&& request,
            const std::optional<RequestKey>& key, StepOne step_one, Callback&& done);

  // Call once. QUEUE_FULL: not one of `workers` is to be had; or of each step that none was to be had for.
  void Start(int workers);

 private:
  // Prepares the steps that nobody has taken yet, and calls `gathered` after each.
  void Prepare(const std::shared_ptr<GatheredSteps>& gatherer, absl::FunctionRef<void()> gathered);
  void PrepareAndRun();
  void Work();
  void Run(absl::Span<const GatheredSteps::Group> groups) const;
  void OnResult(size_t at, absl::StatusOr<StepResult> result);

  const TransitionContext& context_;
  BatchStepRequest request_;
  const std::optional<RequestKey> key_;
  const StepOne step_one_;
  Callback done_;
  BatchStepResult result_;
  std::atomic<size_t> next_ = 0;
  std::atomic<size_t> left_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_BATCH_STEP_H_
