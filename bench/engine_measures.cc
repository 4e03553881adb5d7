// engine.*: Step in-process, from version to version in a store in memory, against ONNX Runtime's bare Run of
// the same graph with the same session settings.
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/bare_session.h"
#include "bench/measures.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell::bench {
namespace {

namespace fs = std::filesystem;

// Of one sample: a part of the time that a busy machine leaves a thread alone, so that most samples are not
// disturbed.
constexpr int kCalls = 200;

// What one of kCalls calls of `call` takes, in microseconds.
template <typename Call>
absl::StatusOr<double> MicrosPerCall(Call call) {
  const absl::Time begin = absl::Now();
  for (int i = 0; i < kCalls; ++i) {
    const absl::Status called = call();
    if (!called.ok()) return called;
  }
  return absl::ToDoubleMicroseconds(absl::Now() - begin) / kCalls;
}

// Steps a graph of fixed shapes from state to state: what whoever keeps states has to do with ONNX Runtime,
// and no more. Every step writes to memory of its own, and what it wrote to "<index>.next" is fed to
// "<index>" next, as the very value that ONNX Runtime has filled.
class BareGraph {
 public:
  explicit BareGraph(const fs::path& file) : session_(MakeBareSession(file)) {
    const Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetInputCount(); ++i) {
      const Slot& input = inputs_.emplace_back(session_.GetInputNameAllocated(i, allocator).get(),
                                               session_.GetInputTypeInfo(i));
      fed_.push_back(MakeTensor(input, memory_of_fed_.emplace_back()));
    }
    for (size_t i = 0; i < session_.GetOutputCount(); ++i) {
      const Slot& output = outputs_.emplace_back(session_.GetOutputNameAllocated(i, allocator).get(),
                                                 session_.GetOutputTypeInfo(i));
      const auto feeds = std::ranges::find_if(
          inputs_, [&](const Slot& input) { return output.name == absl::StrCat(input.name, ".next"); });
      fed_next_.push_back(feeds - inputs_.begin());
    }
    for (const Slot& input : inputs_) input_names_.push_back(input.name.c_str());
    for (const Slot& output : outputs_) output_names_.push_back(output.name.c_str());
  }

  void Step() {
    absl::InlinedVector<Memory, 4> memory(outputs_.size());
    absl::InlinedVector<Ort::Value, 4> written;
    for (size_t i = 0; i < outputs_.size(); ++i) written.push_back(MakeTensor(outputs_[i], memory[i]));
    session_.Run(run_options_, input_names_.data(), fed_.data(), fed_.size(), output_names_.data(),
                 written.data(), written.size());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (fed_next_[i] == inputs_.size()) continue;  // An output of the method, not of its state.
      fed_[fed_next_[i]] = std::move(written[i]);
      memory_of_fed_[fed_next_[i]] = std::move(memory[i]);
    }
  }

 private:
  using Memory = std::unique_ptr<std::byte[]>;

  // An input or output.
  struct Slot {
    Slot(std::string slot_name, const Ort::TypeInfo& type) : name(std::move(slot_name)) {
      const auto tensor = type.GetTensorTypeAndShapeInfo();
      element = tensor.GetElementType();
      shape = tensor.GetShape();
      byte_count = tensor.GetElementCount() * 4;  // Of the elements of these models, int32 and float32.
    }
    std::string name;
    ONNXTensorElementDataType element;
    std::vector<int64_t> shape;
    size_t byte_count;
  };

  // Zeros, in new `memory`.
  Ort::Value MakeTensor(const Slot& slot, Memory& memory) const {
    memory = std::make_unique<std::byte[]>(slot.byte_count);
    return Ort::Value::CreateTensor(cpu_, memory.get(), slot.byte_count, slot.shape.data(), slot.shape.size(),
                                    slot.element);
  }

  const Ort::MemoryInfo cpu_ = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  Ort::Session session_;
  Ort::RunOptions run_options_;
  std::vector<Slot> inputs_;
  std::vector<Slot> outputs_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  std::vector<size_t>
      fed_next_;  // By output: the input that it feeds in the next step, or the number of inputs.
  std::vector<Memory> memory_of_fed_;
  std::vector<Ort::Value> fed_;
};

class EngineMeasure final : public Measure {
 public:
  // `x` is the input of the model's step.
  static absl::StatusOr<std::unique_ptr<Measure>> Make(const std::string& model, const Array& x) try {
    auto measure = std::make_unique<EngineMeasure>(model, x);
    const absl::Status loaded = measure->models_.Load(model).status();
    if (!loaded.ok()) return loaded;
    const absl::StatusOr<MakeStateResult> made =
        Await(measure->engine_, &Engine::MakeState, {.model = model});
    if (!made.ok()) return made.status();
    measure->version_ = made->snapshot->version();
    return measure;
  } catch (const Ort::Exception& error) {
    return absl::InternalError(error.what());
  }

  EngineMeasure(const std::string& model, Array x)
      : models_({.root = STEPWELL_BENCH_MODELS}),
        engine_({}, &store_, &models_, &clock_),
        x_(std::move(x)),
        bare_(fs::path(STEPWELL_BENCH_MODELS) / model / "step.onnx") {}

  absl::StatusOr<double> Ours() override {
    return MicrosPerCall([this] {
      const absl::StatusOr<StepResult> stepped =
          Await(engine_, &Engine::Step, {.state = version_, .inputs = {{"x", x_}}});
      if (stepped.ok()) version_ = stepped->snapshot->version();
      return stepped.status();
    });
  }

  absl::StatusOr<double> Ceiling() override try {
    return MicrosPerCall([this] {
      bare_.Step();
      return absl::OkStatus();
    });
  } catch (const Ort::Exception& error) {
    return absl::InternalError(error.what());
  }

 private:
  SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_;
  Engine engine_;
  const Array x_;
  Version version_{0};
  BareGraph bare_;
};

MeasureInfo EngineInfo(const std::string& model, const std::string& title, const Array& x) {
  return {.id = absl::StrCat("engine.", model),
          .title = title,
          .unit = "us",
          .is_cost = true,
          .goal = {Goal::Kind::kAtMostOver, 2},
          .rounds = 501,
          .make = [model, x] { return EngineMeasure::Make(model, x); }};
}

}  // namespace

std::vector<MeasureInfo> EngineMeasures() {
  return {EngineInfo("counter", "in-process Step of counter; bare ONNX Runtime", Array::Scalar<int32_t>(1)),
          EngineInfo("gru", "in-process Step of gru; bare ONNX Runtime",
                     Array::Zeros(DType::kFloat32, Shape::Of({32})))};
}

}  // namespace stepwell::bench
