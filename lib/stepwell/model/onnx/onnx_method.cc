#include "stepwell/model/onnx/onnx_method.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "stepwell/base/error_info.h"
#include "stepwell/model/onnx/element_type.h"

namespace stepwell::onnx {
namespace {

// What stands for the address of an array without bytes: ONNX Runtime refuses null.
alignas(16) std::byte no_bytes[16];

// The shape of `spec` when no dimension is dynamic.
std::optional<Shape> FixedShape(const TensorSpec& spec) {
  absl::InlinedVector<int64_t, 4> extents;
  for (const Dim& dim : spec.dims) {
    if (dim.is_dynamic()) return std::nullopt;
    extents.push_back(dim.extent);
  }
  return Shape::Make(extents).value();
}

// Refers to `data`, which must outlive the value.
absl::StatusOr<OrtValuePtr> MakeValue(const OrtApi& ort, const OrtMemoryInfo* memory, void* data, size_t size,
                                      absl::Span<const int64_t> dims, ONNXTensorElementDataType element) {
  OrtValue* value = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(
      ort.CreateTensorWithDataAsOrtValue(memory, data, size, dims.data(), dims.size(), element, &value));
  return OrtValuePtr(value);
}

absl::Status BatchAxisWrong(const std::string& output, absl::Span<const int64_t> extents, int64_t count) {
  return WithErrorInfo(
      absl::FailedPreconditionError(
          absl::StrCat("output \"", output, "\" has shape (", absl::StrJoin(extents, ", "),
                       "); expected an outermost axis of ", count, ", as many as steps were run at once")),
      "BATCH_AXIS", {{"output", output}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Method>> OnnxMethod::Make(std::shared_ptr<const OnnxGraph> graph,
                                                               const GraphInfo& of_one_step,
                                                               BoundMethod bound, const StateSpec& spec,
                                                               const std::optional<Batching>& batching) {
  OrtMemoryInfo* memory = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(Ort().CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
  OrtMemoryInfoPtr cpu_memory(memory);
  OrtRunOptions* options = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(Ort().CreateRunOptions(&options));
  OrtRunOptionsPtr run_options(options);
  // A run that fails is its caller's to hear of; a client's bad inputs do not fill the server's log.
  STEPWELL_RETURN_IF_ORT_FAILS(Ort().RunOptionsSetRunLogSeverityLevel(options, ORT_LOGGING_LEVEL_FATAL));
  return std::unique_ptr<const Method>(new OnnxMethod(std::move(graph), of_one_step, std::move(bound), spec,
                                                      batching, std::move(cpu_memory),
                                                      std::move(run_options)));
}

OnnxMethod::OnnxMethod(std::shared_ptr<const OnnxGraph> graph, const GraphInfo& of_one_step,
                       BoundMethod bound, const StateSpec& spec, const std::optional<Batching>& batching,
                       OrtMemoryInfoPtr cpu_memory, OrtRunOptionsPtr run_options)
    : Method(std::move(bound.name), std::move(bound.inputs), std::move(bound.outputs), std::move(bound.reads),
             std::move(bound.writes), std::move(bound.appends), batching.value_or(Batching{})),
      graph_(std::move(graph)),
      has_batch_axis_(batching.has_value()),
      ort_(Ort()),
      cpu_memory_(std::move(cpu_memory)),
      run_options_(std::move(run_options)),
      output_slots_(std::move(bound.output_slots)) {
  for (size_t i = 0; i < bound.feeds.size(); ++i) {
    const TensorSpec& input = of_one_step.inputs[i];
    graph_inputs_.push_back({input.name, bound.feeds[i], ToElementType(input.dtype)});
    has_fixed_inputs_ = has_fixed_inputs_ && FixedShape(input).has_value();
  }
  for (const TensorSpec& output : of_one_step.outputs) {
    // ONNX Runtime hands a graph input that is an output itself through, and never writes what it is given
    // for it.
    const auto& inputs = of_one_step.inputs;
    const bool is_input = std::ranges::find(inputs, output.name, &TensorSpec::name) != inputs.end();
    graph_outputs_.push_back({output.name, output.dtype, ToElementType(output.dtype),
                              is_input ? std::nullopt : FixedShape(output)});
  }
  for (const Input& input : graph_inputs_) input_names_.push_back(input.name.c_str());
  for (const Output& output : graph_outputs_) output_names_.push_back(output.name.c_str());
  for (size_t i = 0; i < bound.write_slots.size(); ++i) {
    const int slot = bound.write_slots[i];
    const bool known = graph_outputs_[static_cast<size_t>(slot)].shape.has_value();
    state_writes_.push_back({slot, known ? std::nullopt : std::optional(spec[writes()[i]].tensor)});
  }
}

absl::StatusOr<MethodResult> OnnxMethod::Run(absl::Span<const Array> inputs,
                                             absl::Span<const Array> state) const try {
  OrtValues fed;
  Dims dims;
  for (const Input& input : graph_inputs_) {
    const Array& array = FedTo(input, inputs, state);
    // ONNX Runtime takes inputs through pointers to non-const, and does not write to them.
    void* data = const_cast<std::byte*>(array.bytes().data());
    absl::StatusOr<OrtValuePtr> value =
        MakeValue(ort_, cpu_memory_.get(), array.byte_count() == 0 ? no_bytes : data, array.bytes().size(),
                  GraphDims(array.shape(), 1, dims), input.element);
    if (!value.ok()) return Failed(value.status());
    fed.push_back(*std::move(value));
  }
  // Every run writes to memory of its own, which becomes the arrays; null where ONNX Runtime is to allocate
  // it.
  OrtValues written;
  ArrayVector made;
  for (const Output& output : graph_outputs_) {
    if (!output.shape.has_value()) {
      written.emplace_back();
      made.emplace_back();
      continue;
    }
    MutableBuffer buffer =
        MutableBuffer::Allocate(static_cast<size_t>(output.shape->ByteCount(output.dtype)));
    absl::StatusOr<OrtValuePtr> value = MakeValue(ort_, cpu_memory_.get(), buffer.data(), buffer.size(),
                                                  GraphDims(*output.shape, 1, dims), output.element);
    if (!value.ok()) return Failed(value.status());
    written.push_back(*std::move(value));
    // Filled by the run below, before anyone else sees it.
    made.push_back(Array::Unchecked(output.dtype, *output.shape, std::move(buffer).Freeze()));
  }
  if (absl::Status status = RunGraph(fed, written, 1); !status.ok()) return Failed(status);
  for (size_t slot = 0; slot < graph_outputs_.size(); ++slot) {
    if (graph_outputs_[slot].shape.has_value()) continue;
    absl::StatusOr<Array> array = Adopt(std::move(written[slot]), graph_outputs_[slot], inputs, state);
    if (!array.ok()) return Failed(array.status());
    made[slot] = *std::move(array);
  }
  return Distribute(made);
} catch (const std::bad_alloc&) {
  return absl::ResourceExhaustedError(absl::StrCat("method \"", name(), "\": no memory for its outputs"));
}

bool OnnxMethod::AreAlike(const MethodCall& a, const MethodCall& b) const {
  if (!has_batch_axis_) return &a == &b;
  return has_fixed_inputs_ || std::ranges::all_of(graph_inputs_, [&](const Input& input) {
           return FedTo(input, a.inputs, a.state).shape() == FedTo(input, b.inputs, b.state).shape();
         });
}

std::vector<absl::StatusOr<MethodResult>> OnnxMethod::RunBatch(absl::Span<const MethodCall> calls) const {
  std::vector<absl::StatusOr<MethodResult>> results(calls.size());
  std::vector<size_t> left(calls.size());
  std::iota(left.begin(), left.end(), size_t{0});
  std::vector<MethodCall> stacked;
  while (!left.empty()) {
    const MethodCall& first = calls[left.front()];
    const auto others =
        std::stable_partition(left.begin(), left.end(), [&](size_t i) { return AreAlike(calls[i], first); });
    const absl::Span<const size_t> together(left.data(), static_cast<size_t>(others - left.begin()));
    stacked.clear();
    for (const size_t i : together) stacked.push_back(calls[i]);
    // What failed together may have failed for the sake of one.
    if (stacked.size() == 1 || !RunStacked(stacked, together, results).ok()) {
      for (const size_t i : together) results[i] = Run(calls[i].inputs, calls[i].state);
    }
    left.erase(left.begin(), others);
  }
  return results;
}

absl::Status OnnxMethod::RunStacked(absl::Span<const MethodCall> calls, absl::Span<const size_t> places,
                                    std::vector<absl::StatusOr<MethodResult>>& results) const try {
  const auto count = static_cast<int64_t>(calls.size());
  std::vector<MutableBuffer> stacks;  // What `fed` and `written` refer to.
  OrtValues fed;
  Dims dims;
  const auto make_value = [&](MutableBuffer& stack, const Shape& shape, ONNXTensorElementDataType element) {
    return MakeValue(ort_, cpu_memory_.get(), stack.size() == 0 ? no_bytes : stack.data(), stack.size(),
                     GraphDims(shape, count, dims), element);
  };
  for (const Input& input : graph_inputs_) {
    const Array& first = FedTo(input, calls[0].inputs, calls[0].state);
    const size_t row = first.bytes().size();
    MutableBuffer& stack = stacks.emplace_back(MutableBuffer::Allocate(row * calls.size()));
    for (size_t i = 0; i < calls.size() && row > 0; ++i) {
      std::memcpy(stack.data() + i * row, FedTo(input, calls[i].inputs, calls[i].state).bytes().data(), row);
    }
    absl::StatusOr<OrtValuePtr> value = make_value(stack, first.shape(), input.element);
    if (!value.ok()) return value.status();
    fed.push_back(*std::move(value));
  }
  OrtValues written;
  std::vector<const std::byte*> bytes;  // Of each graph output, where they are known before the run.
  for (const Output& output : graph_outputs_) {
    if (!output.shape.has_value()) {
      written.emplace_back();
      bytes.push_back(nullptr);
      continue;
    }
    const auto row = static_cast<size_t>(output.shape->ByteCount(output.dtype));
    MutableBuffer& stack = stacks.emplace_back(MutableBuffer::Allocate(row * calls.size()));
    absl::StatusOr<OrtValuePtr> value = make_value(stack, *output.shape, output.element);
    if (!value.ok()) return value.status();
    written.push_back(*std::move(value));
    bytes.push_back(stack.data());
  }
  if (absl::Status status = RunGraph(fed, written, count); !status.ok()) return status;
  absl::InlinedVector<Shape, 4> shapes;
  for (size_t slot = 0; slot < graph_outputs_.size(); ++slot) {
    const Output& output = graph_outputs_[slot];
    if (output.shape.has_value()) {
      shapes.push_back(*output.shape);
      continue;
    }
    absl::StatusOr<Shape> shape = ShapeOf(*written[slot], output, count);
    if (!shape.ok()) return shape.status();
    shapes.push_back(*std::move(shape));
    void* data = nullptr;
    STEPWELL_RETURN_IF_ORT_FAILS(ort_.GetTensorMutableData(written[slot].get(), &data));
    bytes[slot] = static_cast<const std::byte*>(data);
  }
  ArrayVector made;
  for (size_t i = 0; i < calls.size(); ++i) {
    made.clear();
    for (size_t slot = 0; slot < shapes.size(); ++slot) {
      const DType dtype = graph_outputs_[slot].dtype;
      const auto row = static_cast<size_t>(shapes[slot].ByteCount(dtype));
      made.push_back(Array::Unchecked(dtype, shapes[slot], Buffer::Copy({bytes[slot] + i * row, row})));
    }
    results[places[i]] = Distribute(made);
  }
  return absl::OkStatus();
} catch (const std::bad_alloc&) {
  return absl::ResourceExhaustedError("no memory for a batch");
}

absl::Status OnnxMethod::RunGraph(const OrtValues& fed, OrtValues& written, int64_t count) const {
  absl::InlinedVector<const OrtValue*, 4> feeds;
  for (const OrtValuePtr& value : fed) feeds.push_back(value.get());
  absl::InlinedVector<OrtValue*, 4> fetches;
  for (const OrtValuePtr& value : written) fetches.push_back(value.get());
  TypicalTime& time = count == 1 ? time_ : time_in_batch_;
  OrtStatus* const status = time.Measure(count, [&] {
    return ort_.Run(graph_->session(), run_options_.get(), input_names_.data(), feeds.data(), feeds.size(),
                    output_names_.data(), fetches.size(), fetches.data());
  });
  if (status != nullptr) return FromOrt(status);
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i] == nullptr) written[i].reset(fetches[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<Shape> OnnxMethod::ShapeOf(const OrtValue& value, const Output& output, int64_t count) const {
  OrtTensorTypeAndShapeInfo* raw_info = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(ort_.GetTensorTypeAndShape(&value, &raw_info));
  const OrtShapeInfoPtr info(raw_info);
  size_t rank = 0;
  STEPWELL_RETURN_IF_ORT_FAILS(ort_.GetDimensionsCount(raw_info, &rank));
  Dims extents(rank);
  STEPWELL_RETURN_IF_ORT_FAILS(ort_.GetDimensions(raw_info, extents.data(), rank));
  if (!has_batch_axis_) return Shape::Make(extents);
  if (rank == 0 || extents[0] != count) {
    return BatchAxisWrong(output.name, extents, count);
  }
  return Shape::Make(absl::MakeConstSpan(extents).subspan(1));
}

absl::StatusOr<Array> OnnxMethod::Adopt(OrtValuePtr value, const Output& output,
                                        absl::Span<const Array> inputs, absl::Span<const Array> state) const {
  absl::StatusOr<Shape> shape = ShapeOf(*value, output, 1);
  if (!shape.ok()) return shape.status();
  void* data = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(ort_.GetTensorMutableData(value.get(), &data));
  const absl::Span<const std::byte> bytes(static_cast<const std::byte*>(data),
                                          static_cast<size_t>(shape->ByteCount(output.dtype)));
  // A value that is an input under another name does not own its bytes.
  if (IsFed(data, inputs, state))
    return Array::Unchecked(output.dtype, *std::move(shape), Buffer::Copy(bytes));
  const std::shared_ptr<const OrtValue> owner(value.release(), OrtValuePtr::deleter_type());
  return Array::Unchecked(output.dtype, *std::move(shape), Buffer::Adopt(owner, bytes));
}

bool OnnxMethod::IsFed(const void* data, absl::Span<const Array> inputs,
                       absl::Span<const Array> state) const {
  for (const Input& input : graph_inputs_) {
    const Array& array = FedTo(input, inputs, state);
    const auto begin = reinterpret_cast<uintptr_t>(array.bytes().data());
    const auto at = reinterpret_cast<uintptr_t>(data);
    if (at >= begin && at < begin + array.bytes().size()) return true;
  }
  return false;
}

absl::StatusOr<MethodResult> OnnxMethod::Distribute(ArrayVector& made) const {
  MethodResult result;
  for (size_t i = 0; i < state_writes_.size(); ++i) {
    const Write& write = state_writes_[i];
    const Array& array = made[static_cast<size_t>(write.slot)];
    if (write.check.has_value()) {
      const absl::Status fits =
          write.check->Check(appends(i) ? "what is appended to index" : "the array for index", array);
      if (!fits.ok()) {
        return WithErrorInfo(absl::FailedPreconditionError(absl::StrCat(
                                 "method \"", name(), "\" wrote what does not fit: ", fits.message())),
                             "STATE_SPEC_MISMATCH", {{"index", write.check->name}, {"method", name()}});
      }
    }
    result.written.push_back(array);
  }
  for (const int slot : output_slots_) result.outputs.push_back(std::move(made[static_cast<size_t>(slot)]));
  return result;
}

absl::Status OnnxMethod::Failed(const absl::Status& status) const {
  const ErrorInfo info = GetErrorInfo(status);
  return WithErrorInfo(
      absl::Status(status.code(), absl::StrCat("method \"", name(), "\": ", status.message())), info.reason,
      info.metadata);
}

absl::Duration OnnxMethod::typical_run_time(size_t count) const {
  return count == 1 ? time_.value() : time_in_batch_.value() * count;
}

}  // namespace stepwell::onnx
