#ifndef STEPWELL_ENGINE_STEP_H_
#define STEPWELL_ENGINE_STEP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stepwell/engine/selection.h"
#include "stepwell/engine/transition.h"

namespace stepwell {

// Runs one method on a state. A pure method, and a step that is not to be kept, mint no version.
class Step final : public Transition {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<StepResult>)>;

  // `key` is what the request is remembered under.
  Step(const TransitionContext& context, StepRequest&& request, std::optional<RequestKey> key,
       Callback&& done);

 private:
  absl::Status Prepare() override;
  absl::Duration ComputeTime() const override { return method_->typical_run_time(); }
  absl::StatusOr<NewVersions> Compute() override;
  const Method* method() const override { return method_; }
  void Finish(absl::StatusOr<std::shared_ptr<const Snapshot>> result) override;

  absl::Status Fetch(const MethodResult& computed);

  const std::string method_name_;
  NamedArrays given_;
  const std::vector<std::string> output_names_;
  const std::vector<ArraySelector> fetch_;
  const int64_t max_reply_bytes_;
  const bool keep_;
  const bool check_finite_;
  Callback done_;

  const Method* method_ = nullptr;  // Of model().
  ArrayVector inputs_;              // In the method's order.
  absl::InlinedVector<int, 4> chosen_outputs_;
  std::vector<Selected> fetched_;
  StepResult result_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_STEP_H_
