#include "stepwell/engine/step.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stepwell/engine/errors.h"

namespace stepwell {
namespace {

// The position of the spec named `name`, or -1; methods have a handful.
int FindSpec(absl::Span<const TensorSpec> specs, absl::string_view name) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

Step::Step(const TransitionContext& context, StepRequest&& request, std::optional<RequestKey> key,
           std::optional<int64_t> revision, Callback&& done)
    : Transition(context, {std::move(request.state), request.expected_head, std::move(request.labels),
                           request.durability, std::move(request.call), std::move(key), revision}),
      method_name_(std::move(request.method)),
      given_(std::move(request.inputs)),
      output_names_(std::move(request.output_names)),
      fetch_(std::move(request.fetch)),
      max_reply_bytes_(request.max_reply_bytes),
      keep_(request.keep),
      done_(std::move(done)) {}

absl::Status Step::Prepare() {
  const absl::StatusOr<const Method*> method = model().FindMethod(method_name_);
  if (!method.ok()) return method.status();
  method_ = *method;
  absl::Status status = BindInputs();
  if (status.ok()) status = ChooseOutputs();
  if (status.ok() && !fetch_.empty()) {
    absl::StatusOr<std::vector<Selected>> fetched = Resolve(model().state_spec(), fetch_);
    if (!fetched.ok()) return fetched.status();
    fetched_ = *std::move(fetched);
  }
  return status;
}

absl::Status Step::BindInputs() {
  const absl::Span<const TensorSpec> specs = method_->inputs();
  inputs_.resize(specs.size());
  absl::InlinedVector<bool, 8> bound(specs.size(), false);
  for (auto& [name, array] : given_) {
    const int at = FindSpec(specs, name);
    if (at < 0) return UnknownInput(method_name_, name, specs);
    if (bound[at]) return DuplicateInput(method_name_, name);
    const absl::Status fits = specs[at].Check("input", array);
    if (!fits.ok()) return fits;
    inputs_[at] = std::move(array);
    bound[at] = true;
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    if (!bound[i]) return MissingInput(method_name_, specs[i].name, specs);
  }
  return absl::OkStatus();
}

absl::Status Step::ChooseOutputs() {
  const absl::Span<const TensorSpec> specs = method_->outputs();
  if (output_names_.empty()) {
    for (size_t i = 0; i < specs.size(); ++i) chosen_outputs_.push_back(static_cast<int>(i));
  }
  for (const std::string& name : output_names_) {
    const int at = FindSpec(specs, name);
    if (at < 0) return UnknownOutput(method_name_, name, specs);
    chosen_outputs_.push_back(at);
  }
  return absl::OkStatus();
}

absl::StatusOr<Transition::Written> Step::Compute() {
  absl::StatusOr<MethodResult> computed = method_->Run(inputs_, base().arrays());
  if (!computed.ok()) return computed.status();
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
  if (!keep_ || method_->is_pure()) return Written();
  Written written(std::in_place);
  written->reserve(computed->written.size());
  for (size_t i = 0; i < computed->written.size(); ++i) {
    written->emplace_back(method_->writes()[i], std::move(computed->written[i]));
  }
  return written;
}

absl::Status Step::Fetch(const MethodResult& computed) {
  std::vector<Array> after(base().arrays().begin(), base().arrays().end());
  for (size_t i = 0; i < computed.written.size(); ++i) {
    after[static_cast<size_t>(method_->writes()[i])] = computed.written[i];
  }
  absl::StatusOr<NamedArrays> taken = Take(model().state_spec(), fetched_, after);
  if (!taken.ok()) return taken.status();
  result_.fetched = *std::move(taken);
  return absl::OkStatus();
}

void Step::Finish(absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot) {
  if (!snapshot.ok()) return std::move(done_)(snapshot.status());
  result_.snapshot = *std::move(snapshot);
  std::move(done_)(std::move(result_));
}

}  // namespace stepwell
