// stream.counter.64: steps of `counter` on one StepStream with 64 of them in flight, against a raw echo of
// the same messages on one stream. Both servers are processes of their own.
#include <utility>

#include "bench/load.h"
#include "bench/measures.h"
#include "bench/servers.h"
#include "bench/stream_load.h"

namespace stepwell::bench {
namespace {

constexpr absl::Duration kStreamSampleTime = absl::Milliseconds(300);
constexpr int kInFlight = 64;

v1::StepStreamRequest Step() {
  v1::StepStreamRequest message;
  v1::NamedArray& x = *message.mutable_step()->add_inputs();
  x.set_name("x");
  x.mutable_array()->set_dtype(v1::INT32);
  x.mutable_array()->set_data(std::string("\1\0\0\0", 4));
  return message;
}

class StreamMeasure final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make() {
    absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld = StartStepwelld(STEPWELL_BENCH_MODELS);
    if (!stepwelld.ok()) return stepwelld.status();
    const std::shared_ptr<grpc::Channel> channel = Connect((*stepwelld)->address());
    v1::StateService::Stub stub(channel);
    const absl::StatusOr<int64_t> version = MakeState(stub, "counter");
    if (!version.ok()) return version.status();

    StreamLoad ours(channel, "/stepwell.v1.StateService/StepStream", Open(*version), Step(), kInFlight);
    const absl::StatusOr<std::string> reply = ours.OneReply();
    if (!reply.ok()) return reply.status();
    absl::StatusOr<std::unique_ptr<ChildProcess>> echo = StartEcho(*reply);
    if (!echo.ok()) return echo.status();
    return std::make_unique<StreamMeasure>(*std::move(stepwelld), *std::move(echo), std::move(ours),
                                           *version);
  }

  StreamMeasure(std::unique_ptr<ChildProcess> stepwelld, std::unique_ptr<ChildProcess> echo, StreamLoad ours,
                int64_t version)
      : stepwelld_(std::move(stepwelld)),
        echo_(std::move(echo)),
        ours_(std::move(ours)),
        ceiling_(Connect(echo_->address()), "/stepwell.bench.Echo/Bidi", Open(version), Step(), kInFlight) {}

  absl::StatusOr<double> Ours() override { return ours_.RepliesPerSecond(kStreamSampleTime); }
  absl::StatusOr<double> Ceiling() override { return ceiling_.RepliesPerSecond(kStreamSampleTime); }

 private:
  static v1::StepStreamRequest Open(int64_t version) {
    v1::StepStreamRequest message;
    message.mutable_open()->mutable_state()->set_version(version);
    return message;
  }

  const std::unique_ptr<ChildProcess> stepwelld_;
  const std::unique_ptr<ChildProcess> echo_;
  StreamLoad ours_;
  StreamLoad ceiling_;
};

}  // namespace

std::vector<MeasureInfo> StreamMeasures() {
  return {{.id = "stream.counter.64",
           .title = "steps of counter on one stream, 64 in flight; raw echo",
           .unit = "steps/s",
           .is_cost = false,
           .goal = {Goal::Kind::kRatioAtLeast, 0.70},
           .rounds = 15,
           .make = StreamMeasure::Make}};
}

}  // namespace stepwell::bench
