#include "stepwell/model/onnx/onnx_method.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
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

// Refers to `data` and `shape`: both must outlive the value.
absl::StatusOr<OrtValuePtr> MakeValue(const OrtApi& ort, const OrtMemoryInfo* memory, void* data, size_t size,
                                      const Shape& shape, ONNXTensorElementDataType element) {
  OrtValue* value = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(ort.CreateTensorWithDataAsOrtValue(memory, data, size, shape.dims().data(),
                                                                  shape.dims().size(), element, &value));
  return OrtValuePtr(value);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Method>> OnnxMethod::Make(std::shared_ptr<const OnnxGraph> graph,
                                                               BoundMethod bound, const StateSpec& spec) {
  OrtMemoryInfo* memory = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(Ort().CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
  OrtMemoryInfoPtr cpu_memory(memory);
  OrtRunOptions* options = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(Ort().CreateRunOptions(&options));
  OrtRunOptionsPtr run_options(options);
  // A run that fails is its caller's to hear of; a client's bad inputs do not fill the server's log.
  STEPWELL_RETURN_IF_ORT_FAILS(Ort().RunOptionsSetRunLogSeverityLevel(options, ORT_LOGGING_LEVEL_FATAL));
  return std::unique_ptr<const Method>(new OnnxMethod(std::move(graph), std::move(bound), spec,
                                                      std::move(cpu_memory), std::move(run_options)));
}

OnnxMethod::OnnxMethod(std::shared_ptr<const OnnxGraph> graph, BoundMethod bound, const StateSpec& spec,
                       OrtMemoryInfoPtr cpu_memory, OrtRunOptionsPtr run_options)
    : Method(std::move(bound.name), std::move(bound.inputs), std::move(bound.outputs), std::move(bound.reads),
             std::move(bound.writes), std::move(bound.appends)),
      graph_(std::move(graph)),
      ort_(Ort()),
      cpu_memory_(std::move(cpu_memory)),
      run_options_(std::move(run_options)),
      output_slots_(std::move(bound.output_slots)) {
  for (size_t i = 0; i < bound.feeds.size(); ++i) {
    const TensorSpec& input = graph_->info().inputs[i];
    graph_inputs_.push_back({input.name, bound.feeds[i], ToElementType(input.dtype)});
  }
  for (const TensorSpec& output : graph_->info().outputs) {
    // ONNX Runtime hands a graph input that is an output itself through, and never writes what it is given
    // for it.
    const auto& inputs = graph_->info().inputs;
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
  for (const Input& input : graph_inputs_) {
    const Array& array = FedTo(input, inputs, state);
    // ONNX Runtime takes inputs through pointers to non-const, and does not write to them.
    void* data = const_cast<std::byte*>(array.bytes().data());
    absl::StatusOr<OrtValuePtr> value =
        MakeValue(ort_, cpu_memory_.get(), array.byte_count() == 0 ? no_bytes : data, array.bytes().size(),
                  array.shape(), input.element);
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
    absl::StatusOr<OrtValuePtr> value =
        MakeValue(ort_, cpu_memory_.get(), buffer.data(), buffer.size(), *output.shape, output.element);
    if (!value.ok()) return Failed(value.status());
    written.push_back(*std::move(value));
    // Filled by the run below, before anyone else sees it.
    made.push_back(Array::Unchecked(output.dtype, *output.shape, std::move(buffer).Freeze()));
  }
  if (absl::Status status = RunGraph(fed, written); !status.ok()) return Failed(status);
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

absl::Status OnnxMethod::RunGraph(const OrtValues& fed, OrtValues& written) const {
  absl::InlinedVector<const OrtValue*, 4> feeds;
  for (const OrtValuePtr& value : fed) feeds.push_back(value.get());
  absl::InlinedVector<OrtValue*, 4> fetches;
  for (const OrtValuePtr& value : written) fetches.push_back(value.get());
  const auto run = [&] {
    return ort_.Run(graph_->session(), run_options_.get(), input_names_.data(), feeds.data(), feeds.size(),
                    output_names_.data(), fetches.size(), fetches.data());
  };

  // The clock costs as much as a small part of a small model: a few runs tell enough.
  const uint32_t count = run_count_.fetch_add(1, std::memory_order_relaxed);
  OrtStatus* status = nullptr;
  const bool is_early = count < 8;
  if (!is_early && count % 64 != 0) {
    status = run();
  } else {
    const auto start = std::chrono::steady_clock::now();
    status = run();
    const int64_t taken = std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
    // Two runs that end at once may lose one measurement, which does not matter.
    const int64_t typical = typical_run_nanoseconds_.load(std::memory_order_relaxed);
    int64_t next = taken;
    if (typical != 0 && is_early) {
      next = std::min(typical, taken);
    } else if (typical != 0) {
      next = taken > typical ? typical + typical / 16 : typical - typical / 16;
    }
    typical_run_nanoseconds_.store(next, std::memory_order_relaxed);
  }
  if (status != nullptr) return FromOrt(status);
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i] == nullptr) written[i].reset(fetches[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<Array> OnnxMethod::Adopt(OrtValuePtr value, const Output& output,
                                        absl::Span<const Array> inputs, absl::Span<const Array> state) const {
  OrtTensorTypeAndShapeInfo* raw_info = nullptr;
  STEPWELL_RETURN_IF_ORT_FAILS(ort_.GetTensorTypeAndShape(value.get(), &raw_info));
  const OrtShapeInfoPtr info(raw_info);
  size_t rank = 0;
  STEPWELL_RETURN_IF_ORT_FAILS(ort_.GetDimensionsCount(raw_info, &rank));
  absl::InlinedVector<int64_t, 4> extents(rank);
  STEPWELL_RETURN_IF_ORT_FAILS(ort_.GetDimensions(raw_info, extents.data(), rank));
  absl::StatusOr<Shape> shape = Shape::Make(extents);
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
  return absl::Status(status.code(), absl::StrCat("method \"", name(), "\": ", status.message()));
}

absl::Duration OnnxMethod::typical_run_time() const {
  return absl::Nanoseconds(typical_run_nanoseconds_.load(std::memory_order_relaxed));
}

}  // namespace stepwell::onnx
