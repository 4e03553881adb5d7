#include "stepwell/engine/scan.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/errors.h"
#include "stepwell/engine/finite_guard.h"
#include "stepwell/engine/growth.h"
#include "stepwell/engine/method_call.h"

namespace stepwell {
namespace {

// What one call may hold a worker for is bounded by its deadline, and what it may collect by this.
constexpr int64_t kMaxScanSteps = 1'000'000;

// `stacked` at `step` of its outermost axis, which it has.
Array At(const Array& stacked, int64_t step) {
  const absl::Span<const int64_t> dims = stacked.shape().dims();
  const Shape shape = *Shape::Make(dims.subspan(1));  // A part of a shape that is valid.
  const auto bytes = static_cast<size_t>(shape.ByteCount(stacked.dtype()));
  return Array::Unchecked(stacked.dtype(), shape,
                          stacked.data().Part(static_cast<size_t>(step) * bytes, bytes));
}

// An error of one step, with its number.
absl::Status AtStep(const absl::Status& status, int64_t step) {
  ErrorInfo info = GetErrorInfo(status);
  info.metadata.emplace_back("step", absl::StrCat(step));
  return WithErrorInfo(
      absl::Status(status.code(), absl::StrCat("step ", step, " of the scan: ", status.message(),
                                               "; no step of it was kept")),
      info.reason, info.metadata);
}

// How many steps the inputs are stacked for. `inputs` are in the order of the method's.
absl::StatusOr<int64_t> CountSteps(const Method& method, const ArrayVector& inputs,
                                   std::optional<int64_t> step_count) {
  std::optional<int64_t> count = step_count;
  std::string source = "step_count";
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string& name = method.inputs()[i].name;
    if (inputs[i].shape().rank() == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input \"", name, "\" has no axis; expected the inputs of all steps, stacked on a new ",
          "outermost axis"));
    }
    const int64_t extent = inputs[i].shape().dims()[0];
    if (count.value_or(extent) != extent) {
      return absl::InvalidArgumentError(absl::StrCat("input \"", name, "\" is stacked for ", extent,
                                                     " steps; expected ", *count, ", as ", source));
    }
    count = extent;
    source = absl::StrCat("input \"", name, "\"");
  }
  if (!count.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("step_count is missing; expected it, since method \"",
                                                   method.name(), "\" has no inputs"));
  }
  if (*count < 1 || *count > kMaxScanSteps) {
    return absl::InvalidArgumentError(
        absl::StrCat("the scan has ", *count, " steps; expected 1 to ", kMaxScanSteps));
  }
  return *count;
}

}  // namespace

Scan::Scan(const TransitionContext& context, ScanRequest&& request, std::optional<RequestKey> key,
           const RequestRecord* done_before, Callback&& done)
    : Transition(context,
                 done_before == nullptr
                     ? Target{request.state, request.expected_head, request.labels, request.durability,
                              request.call, std::move(key), request.revision, request.adapt_state}
                     : Target{*done_before->base,
                              std::nullopt,
                              {},
                              request.durability,
                              request.call,
                              std::nullopt,
                              done_before->revision,
                              request.adapt_state}),
      request_(std::move(request)),
      made_before_(done_before == nullptr ? std::nullopt : std::make_optional(done_before->versions)),
      done_(std::move(done)) {}

absl::Status Scan::Prepare() {
  if (request_.keep_every < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("keep_every is ", request_.keep_every, "; expected 0, for the last alone, or more"));
  }
  const absl::StatusOr<const Method*> method = model().FindMethod(request_.method);
  if (!method.ok()) return method.status();
  method_ = *method;
  absl::StatusOr<ArrayVector> inputs = OrderInputs(*method_, std::move(request_.inputs));
  if (!inputs.ok()) return inputs.status();
  stacked_inputs_ = *std::move(inputs);
  const absl::StatusOr<int64_t> count = CountSteps(*method_, stacked_inputs_, request_.step_count);
  if (!count.ok()) return count.status();
  step_count_ = *count;
  for (size_t i = 0; i < stacked_inputs_.size(); ++i) {
    const absl::Status fits = method_->inputs()[i].Check("each step's input", At(stacked_inputs_[i], 0));
    if (!fits.ok()) return fits;
  }
  auto chosen = ChooseOutputs(*method_, request_.output_names);
  if (!chosen.ok()) return chosen.status();
  chosen_outputs_ = *std::move(chosen);
  if (request_.fetch.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<Selected>> fetched = Resolve(model().state_spec(), request_.fetch);
  if (!fetched.ok()) return fetched.status();
  fetched_ = *std::move(fetched);
  return absl::OkStatus();
}

absl::Duration Scan::ComputeTime() const { return method_->typical_run_time(1) * step_count_; }

absl::Status Scan::StartStacks(const MethodResult& first) {
  int64_t bytes = 0;
  for (const int at : chosen_outputs_) bytes += first.outputs[static_cast<size_t>(at)].byte_count();
  if (bytes > 0 && step_count_ > request_.max_reply_bytes / bytes) {
    return ReplyTooLarge(bytes * step_count_, request_.max_reply_bytes,
                         "name fewer outputs, or scan in parts");
  }
  for (const int at : chosen_outputs_) {
    const Array& output = first.outputs[static_cast<size_t>(at)];
    output_shapes_.push_back(output.shape());
    stacks_.push_back(MutableBuffer::Allocate(static_cast<size_t>(output.byte_count() * step_count_)));
  }
  return absl::OkStatus();
}

absl::Status Scan::Stack(const MethodResult& computed, int64_t step) {
  for (size_t i = 0; i < stacks_.size(); ++i) {
    const Array& output = computed.outputs[static_cast<size_t>(chosen_outputs_[i])];
    if (output.shape() != output_shapes_[i]) {
      return OutputsNotStackable(method_->outputs()[static_cast<size_t>(chosen_outputs_[i])].name,
                                 output_shapes_[i], output.shape());
    }
    const size_t size = output.bytes().size();
    if (size > 0)
      std::memcpy(stacks_[i].data() + static_cast<size_t>(step) * size, output.bytes().data(), size);
  }
  return absl::OkStatus();
}

// The rows that `written` has beyond `kept`, a state that is brought up to it.
WrittenArrays Scan::TakeAppended(const absl::btree_map<int, Array>& written, std::vector<Array>& kept) const {
  WrittenArrays appended;
  for (size_t i = 0; i < method_->writes().size(); ++i) {
    if (!method_->appends(i)) continue;
    const int position = method_->writes()[i];
    const Array& whole = written.at(position);
    Array& before = kept[static_cast<size_t>(position)];
    // One version holds what several steps may have appended.
    appended.emplace_back(position, CopyRows(whole, before.shape()[0]));
    before = whole;
  }
  return appended;
}

absl::StatusOr<NewVersions> Scan::Compute() {
  std::vector<Array> now(state().begin(), state().end());
  std::vector<Array> kept;  // Where the method appends: the state of the last version that is kept.
  if (method_->is_growing()) kept = now;
  NewVersions versions;
  absl::btree_map<int, Array> written;  // Since the last version that is kept.
  int64_t steps = 0;                    // Since then.
  ArrayVector inputs(stacked_inputs_.size());
  for (int64_t step = 0; step < step_count_; ++step) {
    const absl::Status waits = call().Check();
    if (!waits.ok()) return waits;
    for (size_t i = 0; i < inputs.size(); ++i) inputs[i] = At(stacked_inputs_[i], step);
    absl::StatusOr<MethodResult> computed = method_->Run(inputs, now);
    if (!computed.ok()) return AtStep(computed.status(), step);
    if (step == 0) {
      const absl::Status fits = StartStacks(*computed);
      if (!fits.ok()) return fits;
    }
    if (request_.check_finite || model().check_finite()) {
      const absl::Status finite = CheckFinite(*method_, model().state_spec(), now, computed->written);
      if (!finite.ok()) return AtStep(finite, step);
    }
    const absl::Status stacked = Stack(*computed, step);
    if (!stacked.ok()) return AtStep(stacked, step);
    if (method_->is_growing()) {
      const absl::Status whole = MakeWhole(*method_, now, computed->written).status();
      if (!whole.ok()) return AtStep(whole, step);
    }
    for (size_t i = 0; i < computed->written.size(); ++i) {
      const int position = method_->writes()[i];
      now[static_cast<size_t>(position)] = computed->written[i];
      written[position] = std::move(computed->written[i]);
    }
    ++steps;
    const bool is_kept =
        step + 1 == step_count_ || (request_.keep_every > 0 && (step + 1) % request_.keep_every == 0);
    if (!is_kept || made_before_.has_value() || method_->is_pure()) continue;
    NewVersion& version = versions.emplace_back(NewVersion{.step_count = std::exchange(steps, 0)});
    if (method_->is_growing()) version.appended = TakeAppended(written, kept);
    version.written.assign(std::make_move_iterator(written.begin()), std::make_move_iterator(written.end()));
    written.clear();
  }
  for (size_t i = 0; i < stacks_.size(); ++i) {
    const auto at = static_cast<size_t>(chosen_outputs_[i]);
    std::vector<int64_t> dims = {step_count_};
    dims.insert(dims.end(), output_shapes_[i].dims().begin(), output_shapes_[i].dims().end());
    absl::StatusOr<Array> stack =
        Array::Make(method_->outputs()[at].dtype, dims, std::move(stacks_[i]).Freeze());
    if (!stack.ok()) return stack.status();
    result_.outputs.emplace_back(method_->outputs()[at].name, *std::move(stack));
  }
  if (!fetched_.empty()) {
    absl::StatusOr<NamedArrays> taken = Take(model().state_spec(), fetched_, now);
    if (!taken.ok()) return taken.status();
    result_.fetched = *std::move(taken);
    const int64_t bytes = ByteCount(result_.outputs) + ByteCount(result_.fetched);
    if (bytes > request_.max_reply_bytes) {
      return ReplyTooLarge(bytes, request_.max_reply_bytes, "read the arrays with ReadArrays");
    }
  }
  return versions;
}

void Scan::Finish(absl::StatusOr<std::shared_ptr<const Snapshot>> result) {
  if (!result.ok()) return std::move(done_)(result.status());
  if (made_before_.has_value()) {
    result_.versions = *made_before_;
  } else if (made().empty()) {
    result_.versions = {(*result)->version()};
  } else {
    for (const auto& snapshot : made()) result_.versions.push_back(snapshot->version());
  }
  std::move(done_)(std::move(result_));
}

}  // namespace stepwell
