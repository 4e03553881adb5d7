#include "stepwell/engine/step.h"

#include <utility>

#include "stepwell/engine/errors.h"
#include "stepwell/engine/finite_guard.h"
#include "stepwell/engine/growth.h"
#include "stepwell/engine/method_call.h"
#include "stepwell/engine/step_queues.h"

namespace stepwell {

Step::Step(const TransitionContext& context, StepRequest&& request, std::optional<RequestKey> key,
           Callback&& done)
    : Transition(context, {std::move(request.state), request.expected_head, std::move(request.labels),
                           request.durability, std::move(request.call), std::move(key), request.revision,
                           request.adapt_state}),
      method_name_(std::move(request.method)),
      given_(std::move(request.inputs)),
      output_names_(std::move(request.output_names)),
      fetch_(std::move(request.fetch)),
      max_reply_bytes_(request.max_reply_bytes),
      keep_(request.keep),
      check_finite_(request.check_finite),
      on_visible_(std::move(request.on_visible)),
      done_(std::move(done)) {}

absl::Status Step::Prepare() {
  const absl::StatusOr<const Method*> method = model().FindMethod(method_name_);
  if (!method.ok()) return method.status();
  method_ = *method;
  absl::StatusOr<ArrayVector> inputs = OrderInputs(*method_, std::move(given_));
  if (!inputs.ok()) return inputs.status();
  inputs_ = *std::move(inputs);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const absl::Status fits = method_->inputs()[i].Check("input", inputs_[i]);
    if (!fits.ok()) return fits;
  }
  auto chosen = ChooseOutputs(*method_, output_names_);
  if (!chosen.ok()) return chosen.status();
  chosen_outputs_ = *std::move(chosen);
  if (fetch_.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<Selected>> fetched = Resolve(model().state_spec(), fetch_);
  if (!fetched.ok()) return fetched.status();
  fetched_ = *std::move(fetched);
  return absl::OkStatus();
}

void Step::Wait() {
  auto self = std::static_pointer_cast<Step>(shared_from_this());
  if (gatherer_ != nullptr) {
    if (!gatherer_->Add(std::move(self))) Run();  // Who brought it here after all the others is a worker.
  } else if (method_->batching().max_batch_size <= 1) {
    Transition::Wait();
  } else if (!context().step_queues->Add(std::move(self))) {
    End(QueueFull("the workers' queue", context().max_queued));
  }
}

absl::StatusOr<NewVersions> Step::Receive(absl::StatusOr<MethodResult>&& computed) {
  if (!computed.ok()) return computed.status();
  if (check_finite_ || model().check_finite()) {
    const absl::Status finite = CheckFinite(*method_, model().state_spec(), state(), computed->written);
    if (!finite.ok()) return finite;
  }
  WrittenArrays appended;
  if (method_->is_growing() && (keep_ || !fetched_.empty())) {
    absl::StatusOr<WrittenArrays> made_whole = MakeWhole(*method_, state(), computed->written);
    if (!made_whole.ok()) return made_whole.status();
    appended = *std::move(made_whole);
  }
  result_.outputs.reserve(chosen_outputs_.size());
  for (const int at : chosen_outputs_)
    result_.outputs.emplace_back(method_->outputs()[at].name, computed->outputs[at]);
  if (!fetched_.empty()) {
    const absl::Status fetched = Fetch(*computed);
    if (!fetched.ok()) return fetched;
  }
  const int64_t bytes = ByteCount(result_.outputs) + ByteCount(result_.fetched);
  if (bytes > max_reply_bytes_) {
    return ReplyTooLarge(bytes, max_reply_bytes_, "name fewer outputs, and read the arrays with ReadArrays");
  }
  NewVersions made;
  if (!keep_ || method_->is_pure()) return made;
  NewVersion& version = made.emplace_back(NewVersion{.appended = std::move(appended), .step_count = 1});
  version.written.reserve(computed->written.size());
  for (size_t i = 0; i < computed->written.size(); ++i) {
    version.written.emplace_back(method_->writes()[i], std::move(computed->written[i]));
  }
  return made;
}

absl::Status Step::Fetch(const MethodResult& computed) {
  std::vector<Array> after(state().begin(), state().end());
  for (size_t i = 0; i < computed.written.size(); ++i) {
    after[static_cast<size_t>(method_->writes()[i])] = computed.written[i];
  }
  absl::StatusOr<NamedArrays> taken = Take(model().state_spec(), fetched_, after);
  if (!taken.ok()) return taken.status();
  result_.fetched = *std::move(taken);
  return absl::OkStatus();
}

void Step::TellVisible() {
  if (on_visible_ != nullptr) on_visible_(made().back()->version());
}

void Step::Finish(absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot) {
  if (!snapshot.ok()) return std::move(done_)(snapshot.status());
  result_.snapshot = *std::move(snapshot);
  std::move(done_)(std::move(result_));
}

}  // namespace stepwell
