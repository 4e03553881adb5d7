#ifndef STEPWELL_MODEL_ONNX_ONNX_METHOD_H_
#define STEPWELL_MODEL_ONNX_ONNX_METHOD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "stepwell/model/binding.h"
#include "stepwell/model/model.h"
#include "stepwell/model/onnx/onnx_graph.h"
#include "stepwell/model/onnx/typical_time.h"

namespace stepwell::onnx {

// A method that is a graph run by ONNX Runtime. Thread-safe.
class OnnxMethod final : public Method {
 public:
  // `bound` was bound to `graph` and `spec` without an issue; `of_one_step` is what one step takes and gives:
  // graph->info(), with `batching` without the batch axis. INTERNAL: ONNX Runtime failed.
  static absl::StatusOr<std::unique_ptr<const Method>> Make(std::shared_ptr<const OnnxGraph> graph,
                                                            const GraphInfo& of_one_step, BoundMethod bound,
                                                            const StateSpec& spec,
                                                            const std::optional<Batching>& batching);

  // Beside what Method says: FAILED_PRECONDITION (STATE_SPEC_MISMATCH) when the graph gives an index an array
  // that does not fit the spec, RESOURCE_EXHAUSTED when there is no memory for an output.
  absl::StatusOr<MethodResult> Run(absl::Span<const Array> inputs,
                                   absl::Span<const Array> state) const override;

  // Stacks and splits by copying: what is kept of one call does not keep the others' bytes in memory.
  std::vector<absl::StatusOr<MethodResult>> RunBatch(absl::Span<const MethodCall> calls) const override;

  absl::Duration typical_run_time(size_t count) const override;

 private:
  // A graph input and where its array comes from.
  struct Input {
    std::string name;
    BoundMethod::Feed feed;
    ONNXTensorElementDataType element;
  };

  // A graph output.
  struct Output {
    std::string name;
    DType dtype;
    ONNXTensorElementDataType element;
    std::optional<Shape> shape;  // Of one step, when it is the same in every run, and written by it.
  };

  // A write, and what its array must be where the graph does not tell.
  struct Write {
    int slot;
    std::optional<TensorSpec> check;
  };

  using OrtValues = absl::InlinedVector<OrtValuePtr, 4>;

  // The extents of an array as the graph has them. Thread-compatible.
  using Dims = absl::InlinedVector<int64_t, 4>;

  OnnxMethod(std::shared_ptr<const OnnxGraph> graph, const GraphInfo& of_one_step, BoundMethod bound,
             const StateSpec& spec, const std::optional<Batching>& batching, OrtMemoryInfoPtr cpu_memory,
             OrtRunOptionsPtr run_options);

  // The extents that the graph has for an array of `shape` in each of `count` steps. `storage` is for them.
  absl::Span<const int64_t> GraphDims(const Shape& shape, int64_t count, Dims& storage) const {
    if (!has_batch_axis_) return shape.dims();
    storage.assign(1, count);
    storage.insert(storage.end(), shape.dims().begin(), shape.dims().end());
    return storage;
  }

  // The array that `input` is fed with.
  static const Array& FedTo(const Input& input, absl::Span<const Array> inputs,
                            absl::Span<const Array> state) {
    return (input.feed.from_state ? state : inputs)[static_cast<size_t>(input.feed.position)];
  }
  // Runs the graph of `count` steps into `written`; what is null there is ONNX Runtime's to allocate.
  absl::Status RunGraph(const OrtValues& fed, OrtValues& written, int64_t count) const;
  // The shape that the graph gave each of `count` steps. FAILED_PRECONDITION (BATCH_AXIS): it gave another
  // number of rows.
  absl::StatusOr<Shape> ShapeOf(const OrtValue& value, const Output& output, int64_t count) const;
  absl::StatusOr<Array> Adopt(OrtValuePtr value, const Output& output, absl::Span<const Array> inputs,
                              absl::Span<const Array> state) const;
  // Whether both, which may be the same, can be in one run: what the graph reads has the same shapes.
  bool AreAlike(const MethodCall& a, const MethodCall& b) const;
  // Runs `calls`, which are alike, as one, and puts the result of each at its place in `results`.
  absl::Status RunStacked(absl::Span<const MethodCall> calls, absl::Span<const size_t> places,
                          std::vector<absl::StatusOr<MethodResult>>& results) const;
  bool IsFed(const void* data, absl::Span<const Array> inputs, absl::Span<const Array> state) const;
  // Takes what the method computed out of what the graph made.
  absl::StatusOr<MethodResult> Distribute(ArrayVector& made) const;
  absl::Status Failed(const absl::Status& status) const;

  // Constant after construction.
  const std::shared_ptr<const OnnxGraph> graph_;
  const bool has_batch_axis_;
  const OrtApi& ort_;
  const OrtMemoryInfoPtr cpu_memory_;
  const OrtRunOptionsPtr run_options_;
  std::vector<Input> graph_inputs_;
  std::vector<Output> graph_outputs_;
  std::vector<const char*> input_names_;   // Of graph_inputs_.
  std::vector<const char*> output_names_;  // Of graph_outputs_.
  bool has_fixed_inputs_ = true;           // Each of them is of the same shape in every call.
  std::vector<int> output_slots_;
  std::vector<Write> state_writes_;

  mutable TypicalTime time_;           // Of a step that runs alone.
  mutable TypicalTime time_in_batch_;  // Of each of several that run together.
};

}  // namespace stepwell::onnx

#endif  // STEPWELL_MODEL_ONNX_ONNX_METHOD_H_
