// open.*: from the start of stepwelld on a store of many versions that a kill has left, with a full log, to
// its first answer, which reads the newest of them; against the same on an empty folder.
// cold.20GB: the most that stepwelld has resident while 20 GB of state are stepped and read.
#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "bench/load.h"
#include "bench/measures.h"
#include "bench/scratch_folder.h"
#include "bench/servers.h"

namespace stepwell::bench {
namespace {

constexpr int kStepsPerScan = 50'000;
constexpr int kStepsToFillTheLog = 200'000;

class OpenMeasure final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make(int64_t version_count) {
    auto measure = std::make_unique<OpenMeasure>(absl::StrCat("open_", version_count));
    absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld = measure->Start();
    if (!stepwelld.ok()) return stepwelld.status();
    const absl::Status filled = measure->Step(**stepwelld, version_count);
    if (!filled.ok()) return filled;
    return measure;
  }

  explicit OpenMeasure(const std::string& name) : folder_(name) {}

  absl::StatusOr<double> Ours() override {
    {
      absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld = Start();
      if (!stepwelld.ok()) return stepwelld.status();
      const absl::Status stepped = Step(**stepwelld, kStepsToFillTheLog);
      if (!stepped.ok()) return stepped;
      (*stepwelld)->Kill();
    }
    const absl::Time begin = absl::Now();
    absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld = Start();
    if (!stepwelld.ok()) return stepwelld.status();
    v1::StateService::Stub stub(Connect((*stepwelld)->address()));
    grpc::ClientContext context;
    v1::GetSnapshotRequest request;
    v1::GetSnapshotResponse response;
    request.mutable_state()->set_version(newest_);
    const grpc::Status read = stub.GetSnapshot(&context, request, &response);
    const absl::Duration taken = absl::Now() - begin;
    if (!read.ok()) return FromGrpc("GetSnapshot", read);
    return absl::ToDoubleSeconds(taken);
  }

  absl::StatusOr<double> Ceiling() override {
    const ScratchFolder empty("open_empty");
    const absl::Time begin = absl::Now();
    absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld =
        StartStepwelldOn(empty.path() / "data", STEPWELL_BENCH_MODELS);
    if (!stepwelld.ok()) return stepwelld.status();
    v1::StateService::Stub stub(Connect((*stepwelld)->address()));
    const absl::StatusOr<int64_t> made = MakeState(stub, "counter");
    if (!made.ok()) return made.status();
    return absl::ToDoubleSeconds(absl::Now() - begin);
  }

 private:
  absl::StatusOr<std::unique_ptr<ChildProcess>> Start() const {
    return StartStepwelldOn(folder_.path() / "data", STEPWELL_BENCH_MODELS);
  }

  // Makes `count` versions more.
  absl::Status Step(const ChildProcess& stepwelld, int64_t count) {
    v1::StateService::Stub stub(Connect(stepwelld.address()));
    if (newest_ == 0) {
      const absl::StatusOr<int64_t> made = MakeState(stub, "counter");
      if (!made.ok()) return made.status();
      newest_ = *made;
    }
    v1::ScanRequest request;
    request.set_keep_every(1);
    v1::NamedArray& x = *request.add_inputs();
    x.set_name("x");
    x.mutable_array()->set_dtype(v1::INT32);
    for (int64_t done = 0; done < count;) {
      const int64_t steps = std::min<int64_t>(count - done, kStepsPerScan);
      // A kill may take the last ones that are not synced.
      request.set_durability(done + steps == count ? v1::DURABILITY_SYNC : v1::DURABILITY_ASYNC);
      x.mutable_array()->clear_shape();
      x.mutable_array()->add_shape(steps);
      x.mutable_array()->mutable_data()->assign(static_cast<size_t>(steps) * sizeof(int32_t), '\1');
      request.mutable_state()->set_version(newest_);
      grpc::ClientContext context;
      v1::ScanResponse response;
      const grpc::Status scanned = stub.Scan(&context, request, &response);
      if (scanned.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {  // The disk has fallen behind.
        absl::SleepFor(absl::Milliseconds(50));
        continue;
      }
      if (!scanned.ok()) return FromGrpc("Scan", scanned);
      newest_ = response.versions(response.versions_size() - 1);
      done += steps;
      if (count > kStepsToFillTheLog && done % 1'000'000 == 0)
        std::cerr << "  " << done << " versions made\n";
    }
    return absl::OkStatus();
  }

  const ScratchFolder folder_;
  int64_t newest_ = 0;
};

constexpr int64_t kColdBytes = int64_t{20} << 30;
constexpr int64_t kColdStateElements = 1 << 20;  // float32
constexpr int64_t kColdStateBytes = kColdStateElements * static_cast<int64_t>(sizeof(float));
constexpr int kColdStreams = 4;
constexpr int64_t kStepsPerRead = 4;  // An old version is read after so many steps.

// A stream of states of `wide`, 4 MiB each, in which every element of the k-th version is k.
class WideStream {
 public:
  explicit WideStream(const std::string& address, uint32_t seed) : stub_(Connect(address)), random_(seed) {}

  absl::Status Make() {
    v1::MakeStateRequest request;
    request.set_model("wide");
    v1::NamedArray& total = *request.add_arrays();
    total.set_name("total");
    total.mutable_array()->set_dtype(v1::FLOAT32);
    total.mutable_array()->add_shape(kColdStateElements);
    total.mutable_array()->mutable_data()->assign(static_cast<size_t>(kColdStateBytes), '\0');
    grpc::ClientContext context;
    v1::MakeStateResponse response;
    const grpc::Status made = stub_.MakeState(&context, request, &response);
    if (!made.ok()) return FromGrpc("MakeState", made);
    versions_.push_back(response.snapshot().version());
    return absl::OkStatus();
  }

  absl::Status StepAndRead(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      absl::Status done = Step();
      if (done.ok() && i % kStepsPerRead == 0) done = ReadAny();
      if (!done.ok()) return done;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Step() {
    v1::StepRequest request;
    request.mutable_state()->set_version(versions_.back());
    v1::NamedArray& x = *request.add_inputs();
    x.set_name("x");
    x.mutable_array()->set_dtype(v1::FLOAT32);
    const float one = 1;
    x.mutable_array()->set_data(&one, sizeof(one));
    while (true) {
      grpc::ClientContext context;
      v1::StepResponse response;
      const grpc::Status stepped = stub_.Step(&context, request, &response);
      if (stepped.ok()) {
        versions_.push_back(response.version());
        return absl::OkStatus();
      }
      if (stepped.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) return FromGrpc("Step", stepped);
      absl::SleepFor(absl::Milliseconds(20));  // The disk has fallen behind.
    }
  }

  // Reads the whole state of a version, and holds every element against what it must be.
  absl::Status ReadAny() {
    const size_t k = std::uniform_int_distribution<size_t>(0, versions_.size() - 1)(random_);
    v1::GetArraysRequest request;
    request.mutable_state()->set_version(versions_[k]);
    request.add_selectors()->mutable_index()->set_path("total");
    grpc::ClientContext context;
    v1::GetArraysResponse response;
    const grpc::Status read = stub_.GetArrays(&context, request, &response);
    if (!read.ok()) return FromGrpc("GetArrays", read);
    const std::string& data = response.arrays(0).array().data();
    std::vector<float> elements(static_cast<size_t>(kColdStateElements));
    if (std::ssize(data) != kColdStateBytes) return absl::DataLossError("an array has another size");
    std::memcpy(elements.data(), data.data(), data.size());
    const auto expected = static_cast<float>(k);
    if (std::ranges::all_of(elements, [expected](float element) { return element == expected; })) {
      return absl::OkStatus();
    }
    return absl::DataLossError(absl::StrCat("version ", versions_[k], " is not what it was"));
  }

  v1::StateService::Stub stub_;
  std::mt19937 random_;
  std::vector<int64_t> versions_;
};

// The most that `pid` has had resident.
absl::StatusOr<int64_t> PeakResidentBytes(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (!absl::StartsWith(line, "VmHWM:")) continue;
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t kibibytes = 0;
    if (words.size() == 3 && absl::SimpleAtoi(words[1], &kibibytes)) return kibibytes << 10;
  }
  return absl::UnavailableError(absl::StrCat("/proc/", pid, "/status does not tell VmHWM"));
}

class ColdMeasure final : public Measure {
 public:
  static absl::StatusOr<std::unique_ptr<Measure>> Make() {
    const ScratchFolder folder("cold");
    absl::StatusOr<std::unique_ptr<ChildProcess>> stepwelld = StartStepwelldOn(
        folder.path() / "data", STEPWELL_BENCH_TEST_MODELS, {"--max-cached-bytes", absl::StrCat(kBudget)});
    if (!stepwelld.ok()) return stepwelld.status();
    std::vector<std::unique_ptr<WideStream>> streams;
    for (int i = 0; i < kColdStreams; ++i) {
      streams.push_back(std::make_unique<WideStream>((*stepwelld)->address(), static_cast<uint32_t>(i)));
      const absl::Status made = streams.back()->Make();
      if (!made.ok()) return made;
    }
    constexpr int kParts = 20;
    for (int part = 1; part <= kParts; ++part) {
      std::array<absl::Status, kColdStreams> done;
      std::vector<std::thread> threads;
      for (size_t i = 0; i < kColdStreams; ++i) {
        threads.emplace_back([&stream = *streams[i], &status = done[i]] {
          status = stream.StepAndRead(kColdBytes / kColdStateBytes / kColdStreams / kParts);
        });
      }
      for (std::thread& thread : threads) thread.join();
      for (const absl::Status& status : done) {
        if (!status.ok()) return status;
      }
      std::cerr << "  " << (kColdBytes >> 30) * part / kParts << " GiB of state made\n";
    }
    const absl::StatusOr<int64_t> peak = PeakResidentBytes((*stepwelld)->pid());
    if (!peak.ok()) return peak.status();
    return std::make_unique<ColdMeasure>(*peak);
  }

  explicit ColdMeasure(int64_t peak_bytes) : peak_bytes_(peak_bytes) {}

  absl::StatusOr<double> Ours() override { return static_cast<double>(peak_bytes_) / (1 << 20); }
  absl::StatusOr<double> Ceiling() override { return static_cast<double>(kBudget) / (1 << 20); }

 private:
  static constexpr int64_t kBudget = 1'000'000'000;

  const int64_t peak_bytes_;
};

MeasureInfo OpenInfo(const std::string& id, const std::string& versions, int64_t count, double seconds) {
  return {.id = id,
          .title = absl::StrCat("start on ", versions, " versions after a kill; on none"),
          .unit = "s",
          .is_cost = true,
          .goal = {Goal::Kind::kAtMost, seconds},
          .rounds = 5,
          .make = [count] { return OpenMeasure::Make(count); }};
}

}  // namespace

std::vector<MeasureInfo> DiskMeasures() {
  return {OpenInfo("open.1M", "1,000,000", 1'000'000, 2),
          OpenInfo("open.10M", "10,000,000", 10'000'000, 4),
          {.id = "cold.20GB",
           .title = "peak resident memory with 20 GiB of state; the budget of cached arrays",
           .unit = "MiB",
           .is_cost = true,
           .goal = {Goal::Kind::kAtMost, 1.5e9 / (1 << 20)},
           .rounds = 1,
           .make = ColdMeasure::Make}};
}

}  // namespace stepwell::bench
