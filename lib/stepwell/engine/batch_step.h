#ifndef STEPWELL_ENGINE_BATCH_STEP_H_
#define STEPWELL_ENGINE_BATCH_STEP_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/engine/request_ids.h"
#include "stepwell/engine/requests.h"

namespace stepwell {

// Has all workers step what one request names, and gathers the results. Keeps itself alive until then.
class BatchStep : public std::enable_shared_from_this<BatchStep> {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<BatchStepResult>)>;
  // Steps one state, remembered under the key if there is one; on the calling thread as far as it can.
  using StepOne = absl::AnyInvocable<void(StepRequest, const std::optional<RequestKey>&,
                                          absl::AnyInvocable<void(absl::StatusOr<StepResult>)>) const>;

  // OK, or INVALID_ARGUMENT.
  static absl::Status Check(const BatchStepRequest& request);

  // `request` is one that Check allows.
  BatchStep(BatchStepRequest&& request, const std::optional<RequestKey>& key, Callback&& done);

  // Call once. `workers` threads of `pool` step at a time. QUEUE_FULL: none of them is to be had.
  void Start(WorkerPool& pool, int workers, size_t max_queued, StepOne step_one);

 private:
  // Steps what nobody has taken yet.
  void Work();
  void OnResult(size_t at, absl::StatusOr<StepResult> result);

  BatchStepRequest request_;
  const std::optional<RequestKey> key_;
  Callback done_;
  StepOne step_one_;
  BatchStepResult result_;
  std::atomic<size_t> next_ = 0;
  std::atomic<size_t> left_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_BATCH_STEP_H_
