// durable.sync.64: Step of `counter` with 64 calls outstanding on one channel, each answered when it is on
// disk, against a bare log with group commit behind a raw server. durable.async.64: the same, answered when
// it is visible and written behind, against stepwelld with its state in memory.
#include <utility>

#include "bench/counter_steps.h"
#include "bench/load.h"
#include "bench/measures.h"
#include "bench/scratch_folder.h"
#include "bench/servers.h"

namespace stepwell::bench {
namespace {

constexpr int kDurableOutstanding = 64;
constexpr char kStep[] = "/stepwell.v1.StateService/Step";

// Both sides are servers that take the same steps, from states of their own.
class DurableMeasure final : public Measure {
 public:
  DurableMeasure(std::unique_ptr<ScratchFolder> folder, absl::Duration sample_time)
      : folder_(std::move(folder)), sample_time_(sample_time) {}

  static absl::StatusOr<std::unique_ptr<Measure>> MakeSync() {
    // Some tens of syncs for a sample, where a sync takes milliseconds.
    auto measure =
        std::make_unique<DurableMeasure>(std::make_unique<ScratchFolder>("durable"), absl::Seconds(1));
    absl::StatusOr<CounterSteps> steps = measure->StartOnDisk(v1::DURABILITY_SYNC);
    if (!steps.ok()) return steps.status();
    absl::StatusOr<std::unique_ptr<ChildProcess>> log =
        StartLog(steps->reply, measure->folder_->path() / "log");
    if (!log.ok()) return log.status();
    measure->ceiling_server_ = *std::move(log);
    measure->ceiling_.emplace(Connect(measure->ceiling_server_->address()), "/stepwell.bench.Echo/Unary",
                              std::move(steps->requests));
    return measure;
  }

  static absl::StatusOr<std::unique_ptr<Measure>> MakeAsync() {
    auto measure =
        std::make_unique<DurableMeasure>(std::make_unique<ScratchFolder>("durable"), absl::Milliseconds(300));
    const absl::StatusOr<CounterSteps> steps = measure->StartOnDisk(v1::DURABILITY_ASYNC);
    if (!steps.ok()) return steps.status();
    absl::StatusOr<std::unique_ptr<ChildProcess>> in_memory = StartStepwelld(STEPWELL_BENCH_MODELS);
    if (!in_memory.ok()) return in_memory.status();
    measure->ceiling_server_ = *std::move(in_memory);
    const std::shared_ptr<grpc::Channel> channel = Connect(measure->ceiling_server_->address());
    v1::StateService::Stub stub(channel);
    absl::StatusOr<CounterSteps> others = MakeCounters(stub, kDurableOutstanding);
    if (!others.ok()) return others.status();
    measure->ceiling_.emplace(channel, kStep, std::move(others->requests));
    return measure;
  }

  absl::StatusOr<double> Ours() override { return ours_->CallsPerSecond(sample_time_); }
  absl::StatusOr<double> Ceiling() override { return ceiling_->CallsPerSecond(sample_time_); }

 private:
  absl::StatusOr<CounterSteps> StartOnDisk(v1::Durability durability) {
    absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld =
        StartStepwelldOn(folder_->path() / "data", STEPWELL_BENCH_MODELS);
    if (!stepwelld.ok()) return stepwelld.status();
    stepwelld_ = *std::move(stepwelld);
    const std::shared_ptr<grpc::Channel> channel = Connect(stepwelld_->address());
    v1::StateService::Stub stub(channel);
    absl::StatusOr<CounterSteps> steps = MakeCounters(stub, kDurableOutstanding);
    if (!steps.ok()) return steps;
    for (v1::StepRequest& request : steps->requests) request.set_durability(durability);
    ours_.emplace(channel, kStep, steps->requests);
    return steps;
  }

  const std::unique_ptr<ScratchFolder> folder_;
  const absl::Duration sample_time_;
  std::unique_ptr<ChildProcess> stepwelld_;
  std::unique_ptr<ChildProcess> ceiling_server_;
  std::optional<StepLoad> ours_;
  std::optional<StepLoad> ceiling_;
};

}  // namespace

std::vector<MeasureInfo> DurableMeasures() {
  return {
      {.id = "durable.sync.64",
       .title = "Step of counter when it is on disk, 64 outstanding; bare log, one sync for all that wait",
       .unit = "calls/s",
       .is_cost = false,
       .goal = {Goal::Kind::kRatioAtLeast, 0.80},
       .rounds = 15,
       .make = DurableMeasure::MakeSync},
      {.id = "durable.async.64",
       .title = "Step of counter, written behind, 64 outstanding; in memory",
       .unit = "calls/s",
       .is_cost = false,
       .goal = {Goal::Kind::kRatioAtLeast, 0.90},
       .rounds = 15,
       .make = DurableMeasure::MakeAsync}};
}

}  // namespace stepwell::bench
