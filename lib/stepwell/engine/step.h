#ifndef STEPWELL_ENGINE_STEP_H_
#define STEPWELL_ENGINE_STEP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stepwell/engine/selection.h"
#include "stepwell/engine/transition.h"

namespace stepwell {

class Step;

// Where steps wait that are prepared, to be run together. Thread-safe.
class StepGatherer {
 public:
  virtual ~StepGatherer() = default;

  // Takes `step` and sees to it that it ends; or returns false, and it is to run by itself, here.
  virtual bool Add(std::shared_ptr<Step> step) = 0;
};

// Runs one method on a state. A pure method, and a step that is not to be kept, mint no version.
class Step final : public Transition {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<StepResult>)>;

  // `key` is what the request is remembered under.
  Step(const TransitionContext& context, StepRequest&& request, std::optional<RequestKey> key,
       Callback&& done);

  // Call before Start: once it is prepared, this goes to `gatherer`.
  void GatherIn(std::shared_ptr<StepGatherer> gatherer) { gatherer_ = std::move(gatherer); }

  // For who runs a prepared step together with others: what to compute, and what comes of it. See Transition.
  const Method* method() const override { return method_; }
  absl::Status CheckCall() const { return call().Check(); }
  MethodCall ToMethodCall() const { return {inputs_, state()}; }
  absl::StatusOr<NewVersions> Receive(absl::StatusOr<MethodResult>&& computed);
  using Transition::Conclude;
  using Transition::End;
  using Transition::FillDraft;
  using Transition::OnDurable;
  using Transition::OnVisible;
  using Transition::ToRequestRecord;

 private:
  absl::Status Prepare() override;
  absl::Duration ComputeTime() const override { return method_->typical_run_time(1); }
  absl::StatusOr<NewVersions> Compute() override { return Receive(method_->Run(inputs_, state())); }
  void Wait() override;
  void TellVisible() override;
  void Finish(absl::StatusOr<std::shared_ptr<const Snapshot>> result) override;

  absl::Status Fetch(const MethodResult& computed);

  const std::string method_name_;
  NamedArrays given_;
  const std::vector<std::string> output_names_;
  const std::vector<ArraySelector> fetch_;
  const int64_t max_reply_bytes_;
  const bool keep_;
  const bool check_finite_;
  const std::function<void(Version)> on_visible_;
  Callback done_;

  std::shared_ptr<StepGatherer> gatherer_;
  const Method* method_ = nullptr;  // Of model().
  ArrayVector inputs_;              // In the method's order.
  absl::InlinedVector<int, 4> chosen_outputs_;
  std::vector<Selected> fetched_;
  StepResult result_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_STEP_H_
