// Holds every example model, served by the real server, to what numpy computes for it
// (examples/models/make_models.py), and to what their text says.
#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/array/slice.h"
#include "stepwell/client/client.h"
#include "stepwell/model/safetensors.h"
#include "tests/e2e/server_process.h"
#include "tests/e2e/trajectory.h"

namespace stepwell::testing {
namespace {

using client::Client;
using client::IndexPath;
using client::NamedArrays;
using client::StepResult;
using client::Version;

namespace fs = std::filesystem;

const char* const kModels = STEPWELL_SOURCE_DIR "/examples/models";

class ExamplesTest : public ::testing::Test {
 protected:
  Version Make(const std::string& model, NamedArrays arrays = {}) {
    const auto made = client_->MakeState({.model = model, .arrays = std::move(arrays)});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? Version{made->snapshot().version()} : Version{};
  }
  StepResult Step(Version state, NamedArrays inputs, const std::string& method = "step") {
    auto stepped = client_->Step({.state = state, .method = method, .inputs = std::move(inputs)});
    EXPECT_TRUE(stepped.ok()) << stepped.status();
    return stepped.ok() ? *std::move(stepped) : StepResult{};
  }
  Array Get(Version state, const std::string& index) {
    const auto read = client_->GetArrays({.state = state, .selectors = {{IndexPath{index}, {}}}});
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? read->arrays.at(0).second : Array();
  }

  const ServerProcess server_{kModels};
  const std::unique_ptr<Client> client_ = Client::Connect({.address = server_.address()});
};

Array Floats(std::vector<int64_t> dims, std::vector<float> values) {
  return Array::From<float>(dims, values).value();
}
NamedArrays VitalsInputs(float x, int64_t slot) {
  return {{"x", Floats({8}, std::vector<float>(8, x))}, {"slot", Array::Scalar<int64_t>(slot)}};
}

class ExampleTrajectoryTest : public ExamplesTest, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    auto trajectory = ReadSafetensors(
        absl::StrCat(STEPWELL_SOURCE_DIR "/tests/data/examples/", GetParam(), ".safetensors"));
    ASSERT_TRUE(trajectory.ok()) << trajectory.status();
    trajectory_ = *std::move(trajectory);
    auto model = client_->GetModel(GetParam());
    ASSERT_TRUE(model.ok()) << model.status();
    ASSERT_EQ(model->state(), v1::ModelInfo::READY) << model->error();
    model_ = *std::move(model);
  }

  // Runs `method` for step t on `version`, expects what numpy computed, and returns the version.
  Version Run(const v1::MethodInfo& method, Version version, int64_t t) {
    const auto row = [&](const std::string& name) {
      return Row(trajectory_.at(absl::StrCat(method.name(), "/", name)), t);
    };
    NamedArrays inputs;
    for (const auto& input : method.inputs()) inputs.emplace_back(input.name(), row(input.name()));
    const StepResult stepped = Step(version, std::move(inputs), method.name());
    EXPECT_EQ(stepped.outputs.size(), static_cast<size_t>(method.outputs_size()));
    for (const auto& [name, output] : stepped.outputs) {
      ExpectClose(output, row(name), absl::StrCat(method.name(), "/", name, " of step ", t));
    }
    return stepped.version;
  }

  void ExpectState(Version version, int64_t row) {
    const auto read = client_->GetArrays({.state = version});
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->arrays.size(), static_cast<size_t>(model_.state_spec_size()));
    for (const auto& [index, array] : read->arrays) {
      const Array& all = trajectory_.at(index);
      const Array expected =
          Grows(index) ? TakeSlice(all, {{.start = 0, .stop = row}}).value() : Row(all, row);
      ExpectClose(array, expected, absl::StrCat(index, " before step ", row));
    }
  }

  // Whether each step appends a row to `index`.
  bool Grows(const std::string& index) const {
    const auto step = std::ranges::find(model_.methods(), "step", &v1::MethodInfo::name);
    return std::ranges::count(step->appends(), index) > 0;
  }

  Safetensors trajectory_;
  v1::ModelInfo model_;
};

TEST_P(ExampleTrajectoryTest, EveryStepIsNumpys) {
  size_t named = static_cast<size_t>(model_.state_spec_size());
  for (const auto& method : model_.methods()) {
    named += static_cast<size_t>(method.inputs_size() + method.outputs_size());
  }
  EXPECT_EQ(trajectory_.size(), named) << "the trajectory has arrays that the model has not";
  const auto step = std::ranges::find(model_.methods(), "step", &v1::MethodInfo::name);
  const int64_t steps = trajectory_.at(absl::StrCat("step/", step->inputs(0).name())).shape()[0];
  ASSERT_GE(steps, 50);
  std::vector<Version> versions = {Make(GetParam())};
  for (int64_t t = 0; t < steps && !HasFailure(); ++t) {
    const Version before = versions.back();
    for (const auto& method : model_.methods()) {
      const Version after = Run(method, before, t);
      EXPECT_EQ(after == before, method.writes().empty()) << method.name();
      if (method.name() != "step") continue;
      const Version fork = Run(method, before, t);
      EXPECT_NE(fork, after);
      ExpectState(fork, t + 1);
      versions.push_back(after);
    }
  }
  // Every version, the forked ones too, is what it was when it was made.
  ASSERT_EQ(versions.size(), static_cast<size_t>(steps + 1));
  for (int64_t t = 0; t <= steps; ++t) ExpectState(versions[static_cast<size_t>(t)], t);
}

std::vector<std::string> Models() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kModels)) {
    if (entry.is_directory() && !absl::StartsWith(entry.path().filename().string(), "__")) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(Models, ExampleTrajectoryTest, ::testing::ValuesIn(Models()),
                         [](const auto& info) { return info.param; });

TEST_F(ExamplesTest, VitalsAveragesWhileItWarmsUpAndAnswersZero) {
  Version version = Make("vitals");
  for (int t = 0; t < 10; ++t) {
    const StepResult stepped = Step(version, VitalsInputs(static_cast<float>(t % 2), t));
    EXPECT_EQ(stepped.outputs.at(0).second, Array::Zeros(DType::kFloat32, Shape::Of({8}))) << t;
    version = stepped.version;
  }
  EXPECT_EQ(Get(version, "count"), Array::Scalar<int64_t>(10));
  ExpectClose(Get(version, "mean"), Floats({8}, std::vector<float>(8, 0.5F)), "mean of 0, 1, 0, 1, …");
  ExpectClose(Get(version, "variance"), Floats({8}, std::vector<float>(8, 0.25F)), "their variance");
  EXPECT_GT(Step(version, VitalsInputs(100, 10)).outputs.at(1).second.As<float>().value()[0], 100);
}

TEST_F(ExamplesTest, VitalsStepChangesTheSeasonOfItsSlotAlone) {
  const Version root = Make(
      "vitals", {{"mean", Floats({8}, std::vector<float>(8, 1))}, {"count", Array::Scalar<int64_t>(1000)}});
  const Version stepped = Step(root, VitalsInputs(3, -1)).version;  // Slot 59.
  const Array season = Get(stepped, "season");
  const absl::Span<const float> values = season.As<float>().value();
  for (size_t i = 0; i < values.size(); ++i) {
    // error = 2, so the mean moves to 1.1, and of what remains 0.05 goes into the season.
    EXPECT_NEAR(values[i], i / 8 == 59 ? 0.05 * (3 - 1.1) : 0.0, 1e-6) << i;
  }
}

TEST_F(ExamplesTest, VitalsDecayIsTunedWithSetArrays) {
  const Version root = Make("vitals", {{"count", Array::Scalar<int64_t>(1000)}});
  const auto set =
      client_->SetArrays({.state = root, .arrays = {{IndexPath{"decay"}, Array::Scalar<float>(0.5F)}}});
  ASSERT_TRUE(set.ok()) << set.status();
  const Version tuned = Step(Version{set->version()}, VitalsInputs(4, 0)).version;
  ExpectClose(Get(tuned, "mean"), Floats({8}, std::vector<float>(8, 2)), "mean after half a step of 4");
  EXPECT_EQ(Get(tuned, "decay"), Array::Scalar<float>(0.5F));
  const Version untuned = Step(root, VitalsInputs(4, 0)).version;
  ExpectClose(Get(untuned, "mean"), Floats({8}, std::vector<float>(8, 0.2F)), "mean of the untuned fork");
}

TEST_F(ExamplesTest, BatchnormTakesBatchesOfAnySize) {
  const Version one = Step(Make("batchnorm"), {{"x", Floats({1, 4}, {1, 2, 3, 4})}}).version;
  EXPECT_EQ(Get(one, "norm.running_mean"), Floats({4}, {1, 2, 3, 4}));
  EXPECT_EQ(Get(one, "norm.first_time"), Array::Scalar<bool>(false));
  const Version two = Step(one, {{"x", Floats({2, 4}, {0, 0, 0, 0, 4, 4, 4, 4})}}).version;
  ExpectClose(Get(two, "norm.running_mean"), Floats({4}, {1.01F, 2, 2.99F, 3.98F}),
              "0.99 of 1 to 4, 0.01 of 2");
}

TEST_F(ExamplesTest, KalmanFiltersAsManyTracksAsItIsGiven) {
  // One dimension at a time: with P = diag(p, p, 0, 0) and no process noise to speak of, K = p' / (p' + r).
  const Version root = Make("kalman", {{"mean", Floats({1, 4}, {0, 0, 10, 0})},
                                       {"covariance", Floats({1, 4, 4}, {1, 0, 0, 0, 0, 1, 0, 0,  //
                                                                         0, 0, 0, 0, 0, 0, 0, 0})}});
  const StepResult stepped = Step(root, {{"measurement", Floats({1, 2}, {3, 1})}});
  const float p = 1 + 0.5F * 0.001F / 3;
  const float gain = p / (p + 0.25F);
  ExpectClose(stepped.outputs.at(0).second, Floats({1, 2}, {1 + gain * 2, gain}), "filtered");
  const StepResult ahead = Step(root, {{"seconds", Array::Scalar<float>(2)}}, "predict");
  ExpectClose(ahead.outputs.at(0).second, Floats({1, 2}, {20, 0}), "position in 2 s");
}

TEST_F(ExamplesTest, KalmanPredictsATrackThatWasNotSeen) {
  const Version root = Make("kalman");
  std::vector<float> measurement(32, 1);
  measurement[1] = std::numeric_limits<float>::quiet_NaN();
  const StepResult stepped = Step(root, {{"measurement", Floats({16, 2}, measurement)}});
  const absl::Span<const float> filtered = stepped.outputs.at(0).second.As<float>().value();
  EXPECT_EQ(filtered[0], 0);
  EXPECT_EQ(filtered[1], 0);
  EXPECT_NEAR(filtered[2], 1, 0.01);
}

constexpr int64_t kTokenWidth = 64;

// The i-th token of a text that goes on for ever.
Array DecoderTokens(int64_t begin, int64_t end) {
  std::vector<float> elements;
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t j = 0; j < kTokenWidth; ++j)
      elements.push_back(static_cast<float>((i * 31 + j * 17) % 97) / 97 - 0.5F);
  }
  return Floats({end - begin, kTokenWidth}, elements);
}
Array DecoderToken(int64_t i) { return Row(DecoderTokens(i, i + 1), 0); }

TEST_F(ExamplesTest, AttentionDecoderTakesAPromptAsItTakesItsTokens) {
  Version one_by_one = Make("attention_decoder");
  const StepResult prompted = Step(one_by_one, {{"x", DecoderTokens(0, 20)}}, "prompt");
  for (int64_t i = 0; i < 20; ++i) {
    const StepResult stepped = Step(one_by_one, {{"x", DecoderToken(i)}});
    ExpectClose(Row(prompted.outputs.at(0).second, i), stepped.outputs.at(0).second,
                absl::StrCat("token ", i));
    one_by_one = stepped.version;
  }
  for (const char* index : {"k", "v"}) {
    ExpectClose(Get(prompted.version, index), Get(one_by_one, index), index);
  }
  const Array next = DecoderToken(20);
  ExpectClose(Step(prompted.version, {{"x", next}}).outputs.at(0).second,
              Step(one_by_one, {{"x", next}}).outputs.at(0).second, "the token behind the prompt");
}

TEST_F(ExamplesTest, AttentionDecoderForkedAtStep500IsAsTheStraightRun) {
  Version version = Make("attention_decoder");
  std::vector<Array> outputs;
  Version middle{};
  for (int64_t i = 0; i < 1000; ++i) {
    if (i == 500) middle = version;
    const StepResult stepped = Step(version, {{"x", DecoderToken(i)}});
    outputs.push_back(stepped.outputs.at(0).second);
    version = stepped.version;
  }
  const auto branch = client_->CreateBranch({.name = "fork", .state = middle});
  ASSERT_TRUE(branch.ok()) << branch.status();
  for (int64_t i = 500; i < 1000 && !HasFailure(); ++i) {
    const auto stepped =
        client_->Step({.state = client::BranchName{"fork"}, .inputs = {{"x", DecoderToken(i)}}});
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    EXPECT_EQ(stepped->outputs.at(0).second, outputs[static_cast<size_t>(i)]) << "token " << i;
  }
  const auto info = client_->GetSnapshot(version);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->new_bytes(), 2 * 8 * 128 * 4) << "a key and a value";
  EXPECT_EQ(info->state_bytes(), 1000 * 2 * 8 * 128 * 4);
}

TEST_F(ExamplesTest, CounterCountsFromZero) {
  const StepResult stepped = Step(Make("counter"), {{"x", Array::Scalar<int32_t>(7)}});
  EXPECT_EQ(stepped.outputs.at(0).second, Array::Scalar<int32_t>(7));
  EXPECT_EQ(Get(stepped.version, "count"), Array::Scalar<int32_t>(7));
}

}  // namespace
}  // namespace stepwell::testing
