// unary.counter.N: Step of `counter` with N calls outstanding on one channel, against the raw echo. Both
// servers are processes of their own, and the same load generator steps N streams through either: the
// requests are the same bytes, and so are the replies but for the version in them.
#include <utility>

#include "bench/counter_steps.h"
#include "bench/load.h"
#include "bench/measures.h"
#include "bench/servers.h"

namespace stepwell::bench {
namespace {

constexpr absl::Duration kSampleTime = absl::Milliseconds(300);

class UnaryMeasure final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make(int outstanding) {
    absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld = StartStepwelld(STEPWELL_BENCH_MODELS);
    if (!stepwelld.ok()) return stepwelld.status();
    const std::shared_ptr<grpc::Channel> channel = Connect((*stepwelld)->address());
    v1::StateService::Stub stub(channel);
    absl::StatusOr<CounterSteps> steps = MakeCounters(stub, outstanding);
    if (!steps.ok()) return steps.status();
    absl::StatusOr<std::unique_ptr<ChildProcess>> echo = StartEcho(steps->reply);
    if (!echo.ok()) return echo.status();
    return std::make_unique<UnaryMeasure>(*std::move(stepwelld), *std::move(echo), channel,
                                          std::move(steps->requests));
  }

  UnaryMeasure(std::unique_ptr<ChildProcess> stepwelld, std::unique_ptr<ChildProcess> echo,
               const std::shared_ptr<grpc::Channel>& channel, std::vector<v1::StepRequest> requests)
      : outstanding_(static_cast<int>(requests.size())),
        stepwelld_(std::move(stepwelld)),
        echo_(std::move(echo)),
        ours_(channel, "/stepwell.v1.StateService/Step", requests),
        ceiling_(Connect(echo_->address()), "/stepwell.bench.Echo/Unary", std::move(requests)) {}

  absl::StatusOr<double> Ours() override { return Sample(ours_); }
  absl::StatusOr<double> Ceiling() override { return Sample(ceiling_); }

 private:
  // With one call outstanding the time of a call is what counts, with many their rate.
  absl::StatusOr<double> Sample(StepLoad& load) const {
    return outstanding_ == 1 ? load.MedianLatencyMicros(kSampleTime) : load.CallsPerSecond(kSampleTime);
  }

  const int outstanding_;
  const std::unique_ptr<ChildProcess> stepwelld_;
  const std::unique_ptr<ChildProcess> echo_;
  StepLoad ours_;
  StepLoad ceiling_;
};

}  // namespace

std::vector<MeasureInfo> UnaryMeasures() {
  return {{.id = "unary.counter.64",
           .title = "Step of counter, 64 outstanding; raw echo",
           .unit = "calls/s",
           .is_cost = false,
           .goal = {Goal::Kind::kRatioAtLeast, 0.70},
           .rounds = 15,
           .make = [] { return UnaryMeasure::Make(64); }},
          {.id = "unary.counter.1",
           .title = "Step of counter, 1 outstanding, p50; raw echo",
           .unit = "us",
           .is_cost = true,
           .goal = {Goal::Kind::kRatioAtLeast, 0.70},
           .rounds = 15,
           .make = [] { return UnaryMeasure::Make(1); }}};
}

}  // namespace stepwell::bench
