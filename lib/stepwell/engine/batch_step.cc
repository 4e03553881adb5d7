#include "stepwell/engine/batch_step.h"

#include <algorithm>
#include <utility>

#include "stepwell/engine/batch_request.h"
#include "stepwell/engine/errors.h"
#include "stepwell/engine/run_together.h"

namespace stepwell {
namespace {

// Steps that are prepared where the request comes in, perhaps on the thread that serves all: to look up a
// state and to check the inputs takes a microsecond or less.
constexpr size_t kMaxPreparedInline = 32;

// What it takes to run `groups`; infinite where that is not known.
absl::Duration RunTime(absl::Span<const GatheredSteps::Group> groups) {
  absl::Duration time;
  for (const GatheredSteps::Group& group : groups) {
    const absl::Duration typical = group.front()->method()->typical_run_time(group.size());
    if (typical == absl::ZeroDuration()) return absl::InfiniteDuration();
    time += typical;
  }
  return time;
}

}  // namespace

BatchStep::BatchStep(const TransitionContext& context, BatchStepRequest&& request,
                     const std::optional<RequestKey>& key, StepOne step_one, Callback&& done)
    : context_(context),
      request_(std::move(request)),
      key_(key),
      step_one_(std::move(step_one)),
      done_(std::move(done)),
      left_(request_.steps.size()) {
  result_.results.assign(request_.steps.size(), absl::UnknownError("not stepped"));
  ShareOut(request_);
}

void BatchStep::Start(int workers) {
  if (request_.steps.size() <= kMaxPreparedInline) return PrepareAndRun();
  const auto wanted = std::min(static_cast<size_t>(workers), request_.steps.size());
  size_t started = 0;
  while (started < wanted) {
    WorkerPool::Task work = [self = shared_from_this()] { self->Work(); };
    if (!context_.pool->TrySchedule(work)) break;
    ++started;
  }
  if (started == 0) std::move(done_)(QueueFull("the workers' queue", context_.max_queued));
}

void BatchStep::Prepare(const std::shared_ptr<GatheredSteps>& gatherer, absl::FunctionRef<void()> gathered) {
  for (size_t at = next_++; at < request_.steps.size(); at = next_++) {
    step_one_(std::move(request_.steps[at]), KeyOfStep(key_, at), gatherer,
              [self = shared_from_this(), at](absl::StatusOr<StepResult> result) {
                self->OnResult(at, std::move(result));
              });
    gathered();
  }
}

void BatchStep::PrepareAndRun() {
  const auto gatherer = std::make_shared<GatheredSteps>();
  Prepare(gatherer, [] {});
  std::vector<GatheredSteps::Group> groups = gatherer->TakeAll();
  if (RunTime(groups) < context_.inline_limit) return Run(groups);
  for (GatheredSteps::Group& group : groups) {
    const auto shared = std::make_shared<const GatheredSteps::Group>(std::move(group));
    WorkerPool::Task run = [shared, writer = context_.writer] { RunTogether(*shared, *writer); };
    if (context_.pool->TrySchedule(run)) continue;
    for (const std::shared_ptr<Step>& step : *shared) {
      step->End(QueueFull("the workers' queue", context_.max_queued));
    }
  }
}

void BatchStep::Work() {
  const auto gatherer = std::make_shared<GatheredSteps>();
  Prepare(gatherer, [&] { Run(gatherer->TakeFull()); });
  Run(gatherer->TakeAll());
}

void BatchStep::Run(absl::Span<const GatheredSteps::Group> groups) const {
  for (const GatheredSteps::Group& group : groups) RunTogether(group, *context_.writer);
}

void BatchStep::OnResult(size_t at, absl::StatusOr<StepResult> result) {
  result_.results[at] = std::move(result);
  if (--left_ == 0) std::move(done_)(std::move(result_));
}

}  // namespace stepwell
