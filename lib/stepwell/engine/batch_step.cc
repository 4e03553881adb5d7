#include "stepwell/engine/batch_step.h"

#include <algorithm>
#include <utility>

#include "stepwell/engine/batch_request.h"
#include "stepwell/engine/errors.h"
#include "stepwell/engine/gathered_steps.h"

namespace stepwell {

BatchStep::BatchStep(BatchStepRequest&& request, const std::optional<RequestKey>& key, Callback&& done)
    : request_(std::move(request)), key_(key), done_(std::move(done)), left_(request_.steps.size()) {
  result_.results.assign(request_.steps.size(), absl::UnknownError("not stepped"));
  ShareOut(request_);
}

void BatchStep::Start(WorkerPool& pool, int workers, size_t max_queued, SnapshotWriter* writer,
                      StepOne step_one) {
  writer_ = writer;
  step_one_ = std::move(step_one);
  const auto wanted = std::min(static_cast<size_t>(workers), request_.steps.size());
  size_t started = 0;
  while (started < wanted) {
    WorkerPool::Task work = [self = shared_from_this()] { self->Work(); };
    if (!pool.TrySchedule(work)) break;
    ++started;
  }
  if (started == 0) std::move(done_)(QueueFull("the workers' queue", max_queued));
}

void BatchStep::Work() {
  const auto gathered = std::make_shared<GatheredSteps>(writer_);
  for (size_t at = next_++; at < request_.steps.size(); at = next_++) {
    step_one_(std::move(request_.steps[at]), KeyOfStep(key_, at), gathered,
              [self = shared_from_this(), at](absl::StatusOr<StepResult> result) {
                self->OnResult(at, std::move(result));
              });
    gathered->RunFull();
  }
  gathered->RunAll();
}

void BatchStep::OnResult(size_t at, absl::StatusOr<StepResult> result) {
  result_.results[at] = std::move(result);
  if (--left_ == 0) std::move(done_)(std::move(result_));
}

}  // namespace stepwell
