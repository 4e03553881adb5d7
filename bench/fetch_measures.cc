// fetch.256MiB: ReadArrays of one array, against a raw server stream of as many bytes in chunks as large, out
// of as much memory. The same client reads both, message by message, and drops them.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/echo.pb.h"
#include "bench/load.h"
#include "bench/measures.h"
#include "bench/servers.h"

namespace stepwell::bench {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBytes = int64_t{256} << 20;
constexpr int64_t kChunkBytes = 1 << 20;  // As ReadArrays sends.

// A repository with one model, `large`: the counter with an array of kBytes beside its count.
class LargeModel {
 public:
  static absl::StatusOr<std::unique_ptr<LargeModel>> Make() {
    std::unique_ptr<LargeModel> made(new LargeModel);
    std::error_code error;
    const fs::path package = made->root_ / "large";
    fs::create_directories(package, error);
    fs::copy_file(fs::path(STEPWELL_BENCH_MODELS) / "counter/step.onnx", package / "step.onnx", error);
    std::ofstream text(package / "model.textproto");
    text << "state { index: \"count\" dtype: INT32 }\n"
         << "state { index: \"large\" dtype: FLOAT32 shape: [" << kBytes / 4 << "] constant { value: 1 } }\n"
         << "method { name: \"step\" }\n";
    text.close();
    if (error || !text) return absl::UnavailableError(absl::StrCat("cannot write ", package.string()));
    return made;
  }
  ~LargeModel() {
    std::error_code error;  // What cannot be removed is the system's to remove.
    fs::remove_all(root_, error);
  }
  LargeModel(const LargeModel&) = delete;
  LargeModel& operator=(const LargeModel&) = delete;

  const fs::path& root() const { return root_; }

 private:
  LargeModel() : root_(fs::temp_directory_path() / absl::StrCat("stepwell_bench_", getpid())) {}

  const fs::path root_;
};

class FetchMeasure final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make() {
    absl::StatusOr<std::unique_ptr<LargeModel>> model = LargeModel::Make();
    if (!model.ok()) return model.status();
    absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld = StartStepwelld((*model)->root());
    if (!stepwelld.ok()) return stepwelld.status();
    const std::shared_ptr<grpc::Channel> channel = Connect((*stepwelld)->address());
    v1::StateService::Stub stub(channel);
    const absl::StatusOr<int64_t> version = MakeState(stub, "large");
    if (!version.ok()) return version.status();
    absl::StatusOr<std::unique_ptr<ChildProcess>> echo = StartEcho("");
    if (!echo.ok()) return echo.status();

    auto measure = std::make_unique<FetchMeasure>();
    measure->stepwelld_ = *std::move(stepwelld);
    measure->echo_ = *std::move(echo);
    measure->our_channel_ = channel;
    measure->ceiling_channel_ = Connect(measure->echo_->address());
    measure->ours_.mutable_state()->set_version(*version);
    measure->ours_.add_selectors()->mutable_index()->set_path("large");
    measure->ceiling_.set_byte_count(kBytes);
    measure->ceiling_.set_chunk_bytes(kChunkBytes);
    return measure;
  }

  absl::StatusOr<double> Ours() override {
    return MebibytesPerSecond(our_channel_, "/stepwell.v1.StateService/ReadArrays", ours_);
  }
  absl::StatusOr<double> Ceiling() override {
    return MebibytesPerSecond(ceiling_channel_, "/stepwell.bench.Echo/Stream", ceiling_);
  }

 private:
  static absl::StatusOr<double> MebibytesPerSecond(const std::shared_ptr<grpc::Channel>& channel,
                                                   const std::string& method,
                                                   const google::protobuf::Message& request) {
    const absl::Time begin = absl::Now();
    const absl::StatusOr<int64_t> bytes = ReadStream(channel, method, request);
    if (!bytes.ok()) return bytes.status();
    if (*bytes < kBytes) {
      return absl::DataLossError(
          absl::StrCat(method, " sent ", *bytes, " bytes; expected at least ", kBytes));
    }
    return static_cast<double>(kBytes >> 20) / absl::ToDoubleSeconds(absl::Now() - begin);
  }

  std::unique_ptr<ChildProcess> stepwelld_;
  std::unique_ptr<ChildProcess> echo_;
  std::shared_ptr<grpc::Channel> our_channel_;
  std::shared_ptr<grpc::Channel> ceiling_channel_;
  v1::ReadArraysRequest ours_;
  StreamRequest ceiling_;
};

}  // namespace

std::vector<MeasureInfo> FetchMeasures() {
  return {{.id = "fetch.256MiB",
           .title = "ReadArrays of 256 MiB; raw stream",
           .unit = "MiB/s",
           .is_cost = false,
           .goal = {Goal::Kind::kRatioAtLeast, 0.80},
           .rounds = 15,
           .make = FetchMeasure::Make}};
}

}  // namespace stepwell::bench
