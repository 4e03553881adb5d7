#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/temp_folder.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Array Rows(const std::vector<float>& elements) {
  return Array::From<float>({static_cast<int64_t>(elements.size()) / 2, 2}, elements).value();
}

// Models whose step makes its input `x` the new array of "a.w", returns it as `y`, and leaves "b" as it is.
class FiniteGuardTest : public ::testing::Test {
 protected:
  FiniteGuardTest() : models_({.root = folder_.path()}), engine_({}, &store_, &models_, &clock_) {
    Load("m", DType::kFloat32);
  }

  void Load(const std::string& model, DType dtype, const std::string& text = "") {
    const std::vector<Dim> dims = {{Dim::kDynamic, "n"}, {2, ""}};
    testing::GraphBuilder graph;
    graph.Input({"x", dtype, dims})
        .Node("Identity", {"x"}, {"y"})
        .Node("Identity", {"x"}, {"a.w.next"})
        .Output({"y", dtype, dims})
        .Output({"a.w.next", dtype, dims});
    testing::GraphBuilder pure;
    pure.Input({"x", dtype, dims}).Node("Identity", {"x"}, {"y"}).Output({"y", dtype, dims});
    folder_.Write(model + "/step.onnx", graph.Bytes());
    folder_.Write(model + "/infer.onnx", pure.Bytes());
    folder_.Write(
        model + "/model.textproto",
        absl::StrCat(text, "state { index: \"b\" dtype: FLOAT32 shape: [2] }\n",
                     "state { index: \"a.w\" dtype: ", absl::AsciiStrToUpper(DTypeName(dtype)),
                     " shape: [-1, 2] }\n", "method { name: \"step\" }\nmethod { name: \"infer\" }"));
    const auto loaded = models_.Load(model);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
  }

  Version Make(const std::string& model, const std::string& branch, NamedArrays arrays = {}) {
    const auto made =
        Await(engine_, &Engine::MakeState, {.model = model, .arrays = std::move(arrays), .branch = branch});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? made->snapshot->version() : Version(0);
  }
  absl::StatusOr<StepResult> Step(StepRequest request) {
    return Await(engine_, &Engine::Step, std::move(request));
  }
  size_t SnapshotCount() {
    size_t count = 0;
    store_.ScanSnapshots(
        Version(std::numeric_limits<int64_t>::max()), 1000,
        [&](const absl::StatusOr<std::vector<std::shared_ptr<const SnapshotRecord>>>& records) {
          count = records->size();
        });
    return count;
  }
  // That a step of the branch `head` fails so, and makes nothing.
  void ExpectTrips(StepRequest request, const std::string& position, const std::string& value) {
    const std::string branch = std::get<BranchName>(request.state).value;
    const auto head = Await(engine_, &Engine::GetBranch, {.name = branch});
    const size_t count = SnapshotCount();
    const absl::Status status = Step(std::move(request)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    const ErrorInfo info = GetErrorInfo(status);
    EXPECT_EQ(info.reason, "NON_FINITE");
    EXPECT_THAT(info.metadata, ElementsAre(Pair("index", "a.w"), Pair("position", position)));
    EXPECT_EQ(status.message(), absl::StrCat("method \"step\" wrote ", value, " at ", position,
                                             " of index \"a.w\"; expected finite numbers"));
    EXPECT_EQ(SnapshotCount(), count);
    EXPECT_EQ(Await(engine_, &Engine::GetBranch, {.name = branch})->head, head->head);
  }

  const SystemClock clock_;
  const testing::TempFolder folder_;
  MemoryStore store_;
  ModelRepository models_;
  Engine engine_;
};

TEST_F(FiniteGuardTest, IsOffByDefault) {
  Make("m", "live");
  const auto stepped = Step({.state = BranchName{"live"}, .inputs = {{"x", Rows({1, kNaN})}}});
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  EXPECT_EQ(stepped->snapshot->arrays()[1], Rows({1, kNaN}));
}

TEST_F(FiniteGuardTest, AskedForFailsTheStepAndTellsTheFirst) {
  Make("m", "live");
  const StateRef live = BranchName{"live"};
  ExpectTrips({.state = live, .inputs = {{"x", Rows({1, 2, 3, kNaN, kInfinity, 0})}}, .check_finite = true},
              "[1, 1]", "NaN");
  ExpectTrips({.state = live, .inputs = {{"x", Rows({kInfinity, 0})}}, .check_finite = true}, "[0, 0]",
              "Infinity");
  ExpectTrips({.state = live, .inputs = {{"x", Rows({0, 0, -kInfinity, kNaN})}}, .check_finite = true},
              "[1, 0]", "-Infinity");
  // The branch is free for the next.
  EXPECT_TRUE(Step({.state = live, .inputs = {{"x", Rows({1, 2})}}, .check_finite = true}).ok());
}

TEST_F(FiniteGuardTest, HoldsForAStepThatIsNotKept) {
  Make("m", "live");
  ExpectTrips(
      {.state = BranchName{"live"}, .inputs = {{"x", Rows({1, kNaN})}}, .keep = false, .check_finite = true},
      "[0, 1]", "NaN");
}

TEST_F(FiniteGuardTest, DeclaredInThePackageGuardsEveryStep) {
  Load("guarded", DType::kFloat32, "check_finite: true\n");
  Make("guarded", "live", {{"b", Array::From<float>({2}, {kNaN, 1}).value()}});
  ExpectTrips({.state = BranchName{"live"}, .inputs = {{"x", Rows({1, kNaN})}}}, "[0, 1]", "NaN");
  // What the step does not write, and what a caller gives, is not looked at.
  EXPECT_TRUE(Step({.state = BranchName{"live"}, .inputs = {{"x", Rows({1, 2})}}}).ok());
  EXPECT_TRUE(Await(engine_, &Engine::SetArrays,
                    {.state = BranchName{"live"}, .arrays = {{IndexPath{"a.w"}, Rows({kNaN, kInfinity})}}})
                  .ok());
}

TEST_F(FiniteGuardTest, OutputsAreNotState) {
  const Version root = Make("m", "live");
  EXPECT_TRUE(
      Step({.state = root, .method = "infer", .inputs = {{"x", Rows({1, kNaN})}}, .check_finite = true})
          .ok());
}

TEST_F(FiniteGuardTest, KnowsEveryFloatingPointDType) {
  const auto of = [](DType dtype, Buffer data) {
    return Array::Make(dtype, {2, 2}, std::move(data)).value();
  };
  const auto bytes = [](const auto& elements) {
    return Buffer::Copy(
        {reinterpret_cast<const std::byte*>(elements.data()), elements.size() * sizeof(elements[0])});
  };
  const std::vector<std::pair<DType, Buffer>> cases = {
      {DType::kFloat16, bytes(std::vector<uint16_t>{0x7BFF, 0, 0x8000, 0x7C00})},
      {DType::kBFloat16, bytes(std::vector<uint16_t>{0x7F7F, 0, 0x8000, 0x7F80})},
      {DType::kFloat32, bytes(std::vector<float>{1, 2, 3, kInfinity})},
      {DType::kFloat64, bytes(std::vector<double>{1, 2, 3, kInfinity})}};
  for (const auto& [dtype, data] : cases) {
    SCOPED_TRACE(DTypeName(dtype));
    const std::string name(DTypeName(dtype));
    Load(name, dtype);
    Make(name, name);
    ExpectTrips({.state = BranchName{name}, .inputs = {{"x", of(dtype, data)}}, .check_finite = true},
                "[1, 1]", "Infinity");
  }
}

TEST_F(FiniteGuardTest, IntegersPass) {
  Load("integers", DType::kInt32);
  const Version root = Make("integers", "live");
  const Array ones = Array::From<int32_t>({1, 2}, {0x7F80'0000, -1}).value();
  EXPECT_TRUE(Step({.state = root, .inputs = {{"x", ones}}, .check_finite = true}).ok());
}

}  // namespace
}  // namespace stepwell
