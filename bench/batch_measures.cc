// batch.gru.N: in-process steps of N states of a GRU, by one BatchStep of the package that declares batching,
// against one Step after the other of the package that does not. batchstep.gru.N: the same of a server in a
// process of its own, where the other side has 64 Steps outstanding on one channel.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/load.h"
#include "bench/measures.h"
#include "bench/servers.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell::bench {
namespace {

constexpr char kBatched[] = "gru_batch";
constexpr char kUnbatched[] = "gru";
constexpr int kUnaryOutstanding = 64;
constexpr absl::Duration kBatchSampleTime = absl::Milliseconds(300);

// Both sides step as many states, each of its own package, from version to version.
class InProcessBatch final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make(int states) {
    auto measure = std::make_unique<InProcessBatch>();
    for (const auto& [model, versions] :
         {std::pair(kBatched, &measure->batched_), std::pair(kUnbatched, &measure->unbatched_)}) {
      const absl::Status loaded = measure->models_.Load(model).status();
      if (!loaded.ok()) return loaded;
      for (int i = 0; i < states; ++i) {
        const absl::StatusOr<MakeStateResult> made =
            Await(measure->engine_, &Engine::MakeState, {.model = model});
        if (!made.ok()) return made.status();
        versions->push_back(made->snapshot->version());
      }
    }
    return measure;
  }

  absl::StatusOr<double> Ours() override {
    return MicrosPerStep(batched_, [this] {
      BatchStepRequest request;
      for (const Version version : batched_)
        request.steps.push_back({.state = version, .inputs = {{"x", x_}}});
      absl::StatusOr<BatchStepResult> stepped = Await(engine_, &Engine::BatchStep, std::move(request));
      if (!stepped.ok()) return stepped.status();
      for (size_t i = 0; i < batched_.size(); ++i) {
        const absl::StatusOr<StepResult>& one = stepped->results[i];
        if (!one.ok()) return one.status();
        batched_[i] = one->snapshot->version();
      }
      return absl::OkStatus();
    });
  }

  absl::StatusOr<double> Ceiling() override {
    return MicrosPerStep(unbatched_, [this] {
      for (Version& version : unbatched_) {
        const absl::StatusOr<StepResult> one =
            Await(engine_, &Engine::Step, {.state = version, .inputs = {{"x", x_}}});
        if (!one.ok()) return one.status();
        version = one->snapshot->version();
      }
      return absl::OkStatus();
    });
  }

 private:
  // Of a few calls of `step_all`, which steps each of `versions`.
  template <typename StepAll>
  static absl::StatusOr<double> MicrosPerStep(const std::vector<Version>& versions, StepAll step_all) {
    constexpr int kCallsOfAll = 8;
    const absl::Time begin = absl::Now();
    for (int i = 0; i < kCallsOfAll; ++i) {
      const absl::Status stepped = step_all();
      if (!stepped.ok()) return stepped;
    }
    return absl::ToDoubleMicroseconds(absl::Now() - begin) / kCallsOfAll /
           static_cast<double>(versions.size());
  }

  SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_{{.root = STEPWELL_BENCH_MODELS}};
  Engine engine_{{}, &store_, &models_, &clock_};
  const Array x_ = Array::Zeros(DType::kFloat32, Shape::Of({32}));
  std::vector<Version> batched_;
  std::vector<Version> unbatched_;
};

v1::StepRequest StepOfGru(int64_t version) {
  v1::StepRequest request;
  request.mutable_state()->set_version(version);
  v1::NamedArray& x = *request.add_inputs();
  x.set_name("x");
  x.mutable_array()->set_dtype(v1::FLOAT32);
  x.mutable_array()->add_shape(32);
  x.mutable_array()->set_data(std::string(32 * sizeof(float), '\0'));
  return request;
}

class RemoteBatch final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make(int states) {
    absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld = StartStepwelld(STEPWELL_BENCH_MODELS);
    if (!stepwelld.ok()) return stepwelld.status();
    const std::shared_ptr<grpc::Channel> channel = Connect((*stepwelld)->address());
    v1::StateService::Stub stub(channel);
    v1::BatchStepRequest batch;
    for (int i = 0; i < states; ++i) {
      const absl::StatusOr<int64_t> version = MakeState(stub, kBatched);
      if (!version.ok()) return version.status();
      *batch.add_steps() = StepOfGru(*version);
    }
    std::vector<v1::StepRequest> unary;
    for (int i = 0; i < kUnaryOutstanding; ++i) {
      const absl::StatusOr<int64_t> version = MakeState(stub, kUnbatched);
      if (!version.ok()) return version.status();
      unary.push_back(StepOfGru(*version));
    }
    return std::make_unique<RemoteBatch>(*std::move(stepwelld), channel, std::move(batch), std::move(unary));
  }

  RemoteBatch(std::unique_ptr<ChildProcess> stepwelld, const std::shared_ptr<grpc::Channel>& channel,
              v1::BatchStepRequest batch, std::vector<v1::StepRequest> unary)
      : stepwelld_(std::move(stepwelld)),
        stub_(channel),
        batch_(std::move(batch)),
        unary_(channel, "/stepwell.v1.StateService/Step", std::move(unary)) {}

  absl::StatusOr<double> Ours() override {
    const absl::Time begin = absl::Now();
    int64_t steps = 0;
    while (absl::Now() - begin < kBatchSampleTime) {
      grpc::ClientContext context;
      v1::BatchStepResponse reply;
      const grpc::Status stepped = stub_.BatchStep(&context, batch_, &reply);
      if (!stepped.ok()) return FromGrpc("BatchStep", stepped);
      for (int i = 0; i < reply.results_size(); ++i) {
        const v1::BatchStepResponse::Result& one = reply.results(i);
        if (one.has_status()) return absl::InternalError(one.status().message());
        batch_.mutable_steps(i)->mutable_state()->set_version(one.response().version());
      }
      steps += reply.results_size();
    }
    return static_cast<double>(steps) / absl::ToDoubleSeconds(absl::Now() - begin);
  }

  absl::StatusOr<double> Ceiling() override { return unary_.CallsPerSecond(kBatchSampleTime); }

 private:
  const std::unique_ptr<ChildProcess> stepwelld_;
  v1::StateService::Stub stub_;
  v1::BatchStepRequest batch_;
  StepLoad unary_;
};

}  // namespace

std::vector<MeasureInfo> BatchMeasures() {
  return {{.id = "batch.gru.32",
           .title = "in-process BatchStep of 32 gru states, a step; 32 Steps, one",
           .unit = "us",
           .is_cost = true,
           .goal = {Goal::Kind::kRatioAtLeast, 3},
           .rounds = 201,
           .make = [] { return InProcessBatch::Make(32); }},
          {.id = "batchstep.gru.1000",
           .title = "BatchStep of 1,000 gru states; Step, 64 outstanding",
           .unit = "steps/s",
           .is_cost = false,
           .goal = {Goal::Kind::kRatioAtLeast, 5},
           .rounds = 15,
           .make = [] { return RemoteBatch::Make(1000); }}};
}

}  // namespace stepwell::bench
