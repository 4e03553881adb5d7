#include "stepwell/engine/atomic_batch.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"
#include "stepwell/engine/batch_request.h"
#include "stepwell/engine/errors.h"
#include "stepwell/engine/run_together.h"

namespace stepwell {

AtomicBatch::AtomicBatch(const TransitionContext& context, BatchStepRequest&& request,
                         const std::optional<RequestKey>& key, Callback&& done)
    : context_(context),
      request_(std::move(request)),
      key_(key),
      done_(std::move(done)),
      order_(request_.steps.size()),
      steps_(request_.steps.size()),
      left_(request_.steps.size()) {
  result_.results.assign(left_, absl::UnknownError("not stepped"));
  ShareOut(request_);
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::ranges::stable_sort(order_, std::ranges::less(), [this](size_t at) {
    const auto* branch = std::get_if<BranchName>(&request_.steps[at].state);
    return branch == nullptr ? absl::string_view() : absl::string_view(branch->value);
  });
}

void AtomicBatch::Start() {
  WorkerPool::Task prepare = [self = shared_from_this()] { self->PrepareSteps(); };
  if (context_.pool->TrySchedule(prepare)) return;
  std::move(done_)(QueueFull("the workers' queue", context_.max_queued));
}

void AtomicBatch::PrepareSteps() {
  do {
    if (failed_.has_value()) return GiveUp(*failed_, result_.results[*failed_].status());
    if (entered_ == order_.size())
      return context_.pool->Schedule([self = shared_from_this()] { self->Compute(); });
    const size_t at = order_[entered_++];
    not_yet_ = 2;
    auto step = std::make_shared<Step>(context_, std::move(request_.steps[at]), KeyOfStep(key_, at),
                                       [self = shared_from_this(), at](absl::StatusOr<StepResult> result) {
                                         self->OnResult(at, std::move(result));
                                       });
    step->GatherIn(shared_from_this());
    step->Start();
  } while (--not_yet_ == 0);
}

void AtomicBatch::OnArrived() {
  if (--not_yet_ == 0) PrepareSteps();
}

bool AtomicBatch::Add(std::shared_ptr<Step> step) {
  steps_[order_[entered_ - 1]] = std::move(step);
  OnArrived();
  return true;
}

void AtomicBatch::Compute() {
  std::vector<NewVersions> versions(steps_.size());
  std::optional<std::pair<size_t, absl::Status>> failed;  // The first.
  ComputeTogether(steps_, [&](size_t at, absl::StatusOr<MethodResult>&& computed) {
    absl::StatusOr<NewVersions> made = steps_[at]->Receive(std::move(computed));
    if (made.ok()) {
      versions[at] = *std::move(made);
    } else if (!failed.has_value() || at < failed->first) {
      failed.emplace(at, made.status());
    }
  });
  if (failed.has_value()) return GiveUp(failed->first, std::move(failed->second));
  Commit(std::move(versions));
}

void AtomicBatch::Commit(std::vector<NewVersions> versions) {
  std::vector<SnapshotDraft> drafts;
  std::vector<size_t> writers;  // The step of each draft.
  std::vector<RequestRecord> requests;
  // Before its steps, so that it is not remembered longer than they are.
  if (key_.has_value()) requests.push_back(key_->ToRecord(context_.clock->Now()));
  for (size_t i = 0; i < versions.size(); ++i) {
    if (!versions[i].empty()) {
      steps_[i]->FillDraft(drafts.emplace_back(), std::move(versions[i]));
      writers.push_back(i);
    } else if (std::optional<RequestRecord> read = steps_[i]->ToRequestRecord()) {
      requests.push_back(*std::move(read));
    }
  }
  const auto end_all = [self = shared_from_this()](const absl::Status& status) {
    // Each may be the last that holds this.
    for (const std::shared_ptr<Step>& step : std::exchange(self->steps_, {})) step->OnDurable(status);
  };
  if (drafts.empty() && requests.empty()) return end_all(absl::OkStatus());
  context_.writer->WriteAll(
      std::move(drafts), std::move(requests), request_.durability.value_or(context_.default_durability),
      [self = shared_from_this(), writers = std::move(writers),
       end_all](absl::StatusOr<std::vector<Snapshots>> made) {
        if (!made.ok()) return end_all(made.status());
        for (size_t i = 0; i < writers.size(); ++i)
          self->steps_[writers[i]]->OnVisible(std::move((*made)[i]));
      },
      end_all);
}

// By value: the results may leave before this ends.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void AtomicBatch::GiveUp(size_t failed, absl::Status why) {
  const auto self = shared_from_this();
  const absl::Status others = BatchNotCommitted(failed, why);
  const std::vector<std::shared_ptr<Step>> prepared = std::exchange(steps_, {});
  for (const std::shared_ptr<Step>& step : prepared) {
    if (step != nullptr) step->End(step == prepared[failed] ? why : others);
  }
  for (; entered_ < order_.size(); ++entered_) OnResult(order_[entered_], others);
}

void AtomicBatch::OnResult(size_t at, absl::StatusOr<StepResult> result) {
  result_.results[at] = std::move(result);
  const bool is_last = --left_ == 0;
  if (is_last) return std::move(done_)(std::move(result_));
  // The others are told when the steps are no longer prepared.
  if (steps_.empty()) return;
  failed_ = at;
  OnArrived();
}

}  // namespace stepwell
