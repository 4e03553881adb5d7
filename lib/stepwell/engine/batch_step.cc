#include "stepwell/engine/batch_step.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stepwell/engine/errors.h"

namespace stepwell {
namespace {

constexpr size_t kMaxBatchSteps = 100'000;

}  // namespace

absl::Status BatchStep::Check(const BatchStepRequest& request) {
  if (request.steps.empty() || request.steps.size() > kMaxBatchSteps) {
    return absl::InvalidArgumentError(
        absl::StrCat("the batch has ", request.steps.size(), " steps; expected 1 to ", kMaxBatchSteps));
  }
  for (size_t i = 0; i < request.steps.size(); ++i) {
    if (request.steps[i].request_id.empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("step ", i, " of the batch has a request_id; expected one for the whole batch"));
  }
  return absl::OkStatus();
}

BatchStep::BatchStep(BatchStepRequest&& request, const std::optional<RequestKey>& key, Callback&& done)
    : request_(std::move(request)), key_(key), done_(std::move(done)), left_(request_.steps.size()) {
  result_.results.assign(request_.steps.size(), absl::UnknownError("not stepped"));
  const int64_t share = request_.max_reply_bytes / static_cast<int64_t>(request_.steps.size());
  for (StepRequest& step : request_.steps) {
    step.max_reply_bytes = share;
    step.durability = request_.durability;
    step.call = request_.call;
  }
}

void BatchStep::Start(WorkerPool& pool, int workers, size_t max_queued, StepOne step_one) {
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
  for (size_t at = next_++; at < request_.steps.size(); at = next_++) {
    std::optional<RequestKey> key;
    // No caller's id has this character and a number after it by chance.
    if (key_.has_value()) key = RequestKey{absl::StrCat(key_->id, "\x1f", at), key_->digest};
    step_one_(std::move(request_.steps[at]), key,
              [self = shared_from_this(), at](absl::StatusOr<StepResult> result) {
                self->OnResult(at, std::move(result));
              });
  }
}

void BatchStep::OnResult(size_t at, absl::StatusOr<StepResult> result) {
  result_.results[at] = std::move(result);
  if (--left_ == 0) std::move(done_)(std::move(result_));
}

}  // namespace stepwell
