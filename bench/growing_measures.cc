// growing.*: what a key/value cache costs that is state, that of attention_decoder. growing.step holds steps
// against a bare session that owns its cache; growing.bytes holds the memory that versions take against the
// bytes that they appended.
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "bench/bare_session.h"
#include "bench/measures.h"
#include "bench/resident_bytes.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell::bench {
namespace {

constexpr int kTokens = 1000;  // Of a sample, from an empty cache on.

constexpr const char* kDecoder = "attention_decoder";
constexpr int64_t kTokenWidth = 64, kHeads = 8, kHeadWidth = 128;
constexpr size_t kRowBytes = kHeads * kHeadWidth * sizeof(float);  // Of its keys, and of its values.

// The keys or the values of a bare session: as much memory as they need, twice as much when that is full.
class BareCache {
 public:
  // Where the next row goes; what is there before stays as it is.
  float* Tail() {
    if (size_ + kRowBytes > capacity_) {
      capacity_ = std::max(2 * capacity_, kRowBytes);
      auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity_);
      if (size_ > 0) std::memcpy(larger.get(), memory_.get(), size_);
      memory_ = std::move(larger);
    }
    return reinterpret_cast<float*>(memory_.get() + size_);
  }
  float* data() { return reinterpret_cast<float*>(memory_.get()); }
  int64_t rows() const { return static_cast<int64_t>(size_ / kRowBytes); }
  void Grow() { size_ += kRowBytes; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  size_t size_ = 0, capacity_ = 0;
};

// Steps attention_decoder as who keeps one cache, and no versions, does it: the session reads the cache where
// it is, and writes the new rows behind it.
class BareDecoder {
 public:
  BareDecoder()
      : session_(MakeBareSession(std::filesystem::path(STEPWELL_BENCH_MODELS) / kDecoder / "step.onnx")) {}

  void Begin() {
    keys_ = {};
    values_ = {};
  }

  void Step(const Array& x) {
    // The tails first: they may move what is in front of them.
    float* const new_key = keys_.Tail();
    float* const new_value = values_.Tail();
    y_ = std::make_unique_for_overwrite<float[]>(kTokenWidth);
    const int64_t length = keys_.rows();
    auto* const token = const_cast<float*>(x.As<float>()->data());
    const Ort::Value inputs[] = {Tensor(token, {kTokenWidth}),
                                 Tensor(keys_.data(), {length, kHeads, kHeadWidth}),
                                 Tensor(values_.data(), {length, kHeads, kHeadWidth})};
    Ort::Value outputs[] = {Tensor(y_.get(), {kTokenWidth}), Tensor(new_key, {1, kHeads, kHeadWidth}),
                            Tensor(new_value, {1, kHeads, kHeadWidth})};
    static constexpr const char* kInputs[] = {"x", "k", "v"};
    static constexpr const char* kOutputs[] = {"y", "k.append", "v.append"};
    session_.Run(run_options_, kInputs, inputs, 3, kOutputs, outputs, 3);
    keys_.Grow();
    values_.Grow();
  }

 private:
  Ort::Value Tensor(float* data, std::initializer_list<int64_t> shape) const {
    size_t count = 1;
    for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
    return Ort::Value::CreateTensor<float>(cpu_, data, count, std::data(shape), shape.size());
  }

  const Ort::MemoryInfo cpu_ = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  Ort::Session session_;
  Ort::RunOptions run_options_;
  BareCache keys_, values_;
  std::unique_ptr<float[]> y_;
};

// An engine with the model, and streams of it.
class Streams {
 public:
  explicit Streams(const EngineOptions& options) : engine_(options, &store_, &models_, &clock_) {}

  absl::Status Load() { return models_.Load(kDecoder).status(); }

  // Steps a new state kTokens times.
  absl::Status Run() {
    const absl::StatusOr<MakeStateResult> made = Await(engine_, &Engine::MakeState, {.model = kDecoder});
    if (!made.ok()) return made.status();
    Version version = made->snapshot->version();
    for (int i = 0; i < kTokens; ++i) {
      const absl::StatusOr<StepResult> stepped =
          Await(engine_, &Engine::Step, {.state = version, .inputs = {{"x", x_}}});
      if (!stepped.ok()) return stepped.status();
      version = stepped->snapshot->version();
      new_bytes_ += stepped->snapshot->record().new_bytes;
    }
    return absl::OkStatus();
  }

  // Of all steps: what the store says that their versions wrote.
  int64_t new_bytes() const { return new_bytes_; }

 private:
  SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_{{.root = STEPWELL_BENCH_MODELS}};
  Engine engine_;
  const Array x_ = Array::Zeros(DType::kFloat32, Shape::Of({kTokenWidth}));
  int64_t new_bytes_ = 0;
};

class GrowingStepMeasure final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make() try {
    auto measure = std::make_unique<GrowingStepMeasure>();
    const absl::Status loaded = measure->streams_.Load();
    if (!loaded.ok()) return loaded;
    return measure;
  } catch (const Ort::Exception& error) {
    return absl::InternalError(error.what());
  }

  absl::StatusOr<double> Ours() override {
    const absl::Time begin = absl::Now();
    const absl::Status run = streams_.Run();
    if (!run.ok()) return run;
    return absl::ToDoubleMicroseconds(absl::Now() - begin) / kTokens;
  }

  absl::StatusOr<double> Ceiling() override try {
    const absl::Time begin = absl::Now();
    bare_.Begin();
    for (int i = 0; i < kTokens; ++i) bare_.Step(x_);
    return absl::ToDoubleMicroseconds(absl::Now() - begin) / kTokens;
  } catch (const Ort::Exception& error) {
    return absl::InternalError(error.what());
  }

 private:
  // Runs where it is called, as the bare session does: what is measured is the cache, not the pool.
  Streams streams_{{.inline_limit = absl::InfiniteDuration()}};
  const Array x_ = Array::Zeros(DType::kFloat32, Shape::Of({kTokenWidth}));
  BareDecoder bare_;
};

// Streams one after the other in one store, before which is a cache of as few snapshots as can be. What
// earlier streams had in the cache makes way for the next: what stays is what their versions take in the
// store.
class GrowingBytesMeasure final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make() {
    auto measure = std::make_unique<GrowingBytesMeasure>();
    const absl::Status loaded = measure->streams_.Load();
    if (!loaded.ok()) return loaded;
    return measure;
  }

  absl::StatusOr<double> Ours() override {
    const int64_t before = ResidentBytesInUse();
    const int64_t appended_before = streams_.new_bytes();
    for (int i = 0; i < kStreams; ++i) {
      const absl::Status run = streams_.Run();
      if (!run.ok()) return run;
    }
    if (streams_.new_bytes() - appended_before != kStreams * kTokens * kStepBytes) {
      return absl::InternalError("the versions do not say that they cost their rows");
    }
    return PerStream(ResidentBytesInUse() - before);
  }

  absl::StatusOr<double> Ceiling() override { return PerStream(kStreams * kTokens * kStepBytes); }

 private:
  static constexpr int kStreams = 8;                    // Of a sample.
  static constexpr int64_t kStepBytes = 2 * kRowBytes;  // A key and a value.

  static double PerStream(int64_t bytes) { return static_cast<double>(bytes) / kStreams / (1 << 20); }

  Streams streams_{{.max_cached_snapshots = 1}};
};

}  // namespace

std::vector<MeasureInfo> GrowingMeasures() {
  return {{.id = "growing.step",
           .title = "1,000 Steps of attention_decoder in-process; a bare session that owns its cache",
           .unit = "us",
           .is_cost = true,
           .goal = {Goal::Kind::kRatioAtLeast, 1 / 1.3},
           .rounds = 21,
           .make = [] { return GrowingStepMeasure::Make(); }},
          {.id = "growing.bytes",
           .title = "resident memory of 1,000 versions of a growing cache; the bytes that they appended",
           .unit = "MiB",
           .is_cost = true,
           .goal = {Goal::Kind::kRatioAtLeast, 1 / 1.2},
           .rounds = 7,
           .make = [] { return GrowingBytesMeasure::Make(); }}};
}

}  // namespace stepwell::bench
