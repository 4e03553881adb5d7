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
#include "stepwell/engine/snapshot_writer.h"
#include "stepwell/engine/step.h"

namespace stepwell {

// Has all workers step what one request names, each by itself, and gathers the results: a worker prepares
// step after step, and runs those together that can be. Keeps itself alive until the last has ended.
class BatchStep : public std::enable_shared_from_this<BatchStep> {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<BatchStepResult>)>;
  // Steps one state, remembered under the key if there is one: prepares it on the calling thread as far as it
  // can, and gives it to the gatherer.
  using StepOne = absl::AnyInvocable<void(StepRequest&&, const std::optional<RequestKey>&,
                                          const std::shared_ptr<StepGatherer>&,
                                          absl::AnyInvocable<void(absl::StatusOr<StepResult>)>) const>;

  // `request` is one that CheckBatch allows.
  BatchStep(BatchStepRequest&& request, const std::optional<RequestKey>& key, Callback&& done);

  // Call once. `workers` threads of `pool` step at a time; `writer` outlives them. QUEUE_FULL: none of them
  // is to be had.
  void Start(WorkerPool& pool, int workers, size_t max_queued, SnapshotWriter* writer, StepOne step_one);

 private:
  // Steps what nobody has taken yet.
  void Work();
  void OnResult(size_t at, absl::StatusOr<StepResult> result);

  BatchStepRequest request_;
  const std::optional<RequestKey> key_;
  Callback done_;
  SnapshotWriter* writer_ = nullptr;
  StepOne step_one_;
  BatchStepResult result_;
  std::atomic<size_t> next_ = 0;
  std::atomic<size_t> left_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_BATCH_STEP_H_
