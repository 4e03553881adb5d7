// Many calls in one run of a graph, seen through Method::RunBatch.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/model/loader.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/temp_folder.h"

namespace stepwell::onnx {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;

const Dim kBatch = {Dim::kDynamic, "batch"};
const Dim kSome = {Dim::kDynamic, "some"};

Array Row(std::vector<float> values) {
  return Array::From<float>({static_cast<int64_t>(values.size())}, values).value();
}

class RunBatchTest : public ::testing::Test {
 protected:
  // One call of the method: what it is given, kept as long as the test.
  struct Given {
    std::vector<Array> inputs;
    std::vector<Array> state;
  };
  using Results = std::vector<absl::StatusOr<MethodResult>>;

  // A model of one method, whose runs have up to four calls.
  const Method* Load(const GraphBuilder& graph, const std::string& state = "") {
    folder_.Write("step.onnx", graph.Bytes());
    folder_.Write("model.textproto",
                  "batching { max_batch_size: 4 }\n" + state + "method { name: \"step\" }");
    const auto model = LoadModel(*Package::Open(folder_.path()), "m", {});
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return nullptr;
    model_ = *model;
    return model_->methods()[0].get();
  }

  static Results RunBatch(const Method& method, const std::vector<Given>& given) {
    std::vector<MethodCall> calls;
    calls.reserve(given.size());
    for (const Given& one : given) calls.push_back({one.inputs, one.state});
    return method.RunBatch(calls);
  }

  testing::TempFolder folder_;
  std::shared_ptr<const Model> model_;
};

// sum.next = sum + x and y = sum.next, of any length where `dim` is dynamic.
GraphBuilder BatchedSum(const Dim& dim) {
  GraphBuilder graph;
  graph.Input({"sum", DType::kFloat32, {kBatch, dim}})
      .Input({"x", DType::kFloat32, {kBatch, dim}})
      .Node("Add", {"sum", "x"}, {"sum.next"})
      .Node("Identity", {"sum.next"}, {"y"})
      .Output({"y", DType::kFloat32, {kBatch, dim}})
      .Output({"sum.next", DType::kFloat32, {kBatch, dim}});
  return graph;
}

constexpr char kBatchedSumOfTwo[] = "state { index: \"sum\" dtype: FLOAT32 shape: [2] }\n";
constexpr char kBatchedSumOfAny[] = "state { index: \"sum\" dtype: FLOAT32 shape: [-1] }\n";

TEST_F(RunBatchTest, RunTimeOfABatchIsKnownAfterTheFirstAndGrowsWithIt) {
  const Method* method = Load(BatchedSum({2, ""}), kBatchedSumOfTwo);
  ASSERT_NE(method, nullptr);
  const Given given{{Row({1, 2})}, {Row({3, 4})}};
  ASSERT_TRUE(RunBatch(*method, {given})[0].ok());
  EXPECT_GT(method->typical_run_time(1), absl::ZeroDuration());
  EXPECT_EQ(method->typical_run_time(2), absl::ZeroDuration()) << "one alone says nothing of a batch";
  ASSERT_TRUE(RunBatch(*method, {given, given})[0].ok());
  EXPECT_GT(method->typical_run_time(2), absl::ZeroDuration());
  EXPECT_EQ(method->typical_run_time(4), 2 * method->typical_run_time(2));
}

TEST_F(RunBatchTest, CallersDoNotSeeTheBatchAxis) {
  for (const auto& [dim, state] :
       {std::pair(Dim{2, ""}, kBatchedSumOfTwo), std::pair(kSome, kBatchedSumOfAny)}) {
    const Method* method = Load(BatchedSum(dim), state);
    ASSERT_NE(method, nullptr);
    EXPECT_EQ(method->batching().max_batch_size, 4);
    EXPECT_EQ(method->inputs()[0].dims.size(), 1u);
    EXPECT_EQ(method->outputs()[0].dims.size(), 1u);
    const auto alone = method->Run({Row({1, 2})}, {Row({10, 20})});
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_EQ(alone->outputs[0], Row({11, 22}));
    EXPECT_EQ(alone->written[0], Row({11, 22}));
  }
}

TEST_F(RunBatchTest, EachCallHasItsOwnRows) {
  for (const auto& [dim, state] :
       {std::pair(Dim{2, ""}, kBatchedSumOfTwo), std::pair(kSome, kBatchedSumOfAny)}) {
    const Method* method = Load(BatchedSum(dim), state);
    ASSERT_NE(method, nullptr);
    const Results results = RunBatch(
        *method,
        {{{Row({1, 2})}, {Row({10, 20})}}, {{Row({3, 4})}, {Row({0, 0})}}, {{Row({5, 6})}, {Row({-5, 7})}}});
    ASSERT_EQ(results.size(), 3u);
    const std::vector<Array> expected = {Row({11, 22}), Row({3, 4}), Row({0, 13})};
    for (size_t i = 0; i < results.size(); ++i) {
      ASSERT_TRUE(results[i].ok()) << results[i].status();
      EXPECT_EQ(results[i]->outputs[0], expected[i]);
      EXPECT_EQ(results[i]->written[0], expected[i]);
      // What is kept of one keeps nothing of the others: this array's bytes have no other owner.
      EXPECT_EQ(results[i]->written[0].data().Release().use_count(), 2);
    }
  }
}

TEST_F(RunBatchTest, CallsOfOtherShapesRunApart) {
  const Method* method = Load(BatchedSum(kSome), kBatchedSumOfAny);
  ASSERT_NE(method, nullptr);
  const Results results = RunBatch(*method, {{{Row({1})}, {Row({1})}},
                                             {{Row({1, 2})}, {Row({3, 4})}},
                                             {{Row({5})}, {Row({6})}},
                                             {{Row({})}, {Row({})}}});
  const std::vector<Array> expected = {Row({2}), Row({4, 6}), Row({11}), Row({})};
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(results[i].ok()) << results[i].status();
    EXPECT_EQ(results[i]->written[0], expected[i]);
  }
}

TEST_F(RunBatchTest, CallThatFailsFailsAlone) {
  GraphBuilder graph;  // y = table[x], which fails for an x past the table's end.
  graph.Input({"x", DType::kInt64, {kBatch}})
      .Initializer("table", Row({10, 20, 30}))
      .Node("Gather", {"table", "x"}, {"y"})
      .Output({"y", DType::kFloat32, {kBatch}});
  const Method* method = Load(graph);
  ASSERT_NE(method, nullptr);
  const Results results = RunBatch(*method, {{{Array::Scalar<int64_t>(2)}, {}},
                                             {{Array::Scalar<int64_t>(3)}, {}},
                                             {{Array::Scalar<int64_t>(0)}, {}}});
  ASSERT_TRUE(results[0].ok()) << results[0].status();
  EXPECT_EQ(results[0]->outputs[0], Array::Scalar<float>(30));
  EXPECT_EQ(results[1].status().code(), absl::StatusCode::kInternal) << results[1].status();
  ASSERT_TRUE(results[2].ok()) << results[2].status();
  EXPECT_EQ(results[2]->outputs[0], Array::Scalar<float>(10));
}

TEST_F(RunBatchTest, OutputOfAnotherNumberOfRowsIsNamed) {
  GraphBuilder graph;  // The steps are the columns of y.
  graph.Input({"x", DType::kFloat32, {kBatch, kSome}})
      .Node("Transpose", {"x"}, {"y"})
      .Output({"y", DType::kFloat32, {kSome, kBatch}});
  const Method* method = Load(graph);
  ASSERT_NE(method, nullptr);
  const Results results = RunBatch(*method, {{{Row({1, 2, 3})}, {}}, {{Row({4, 5, 6})}, {}}});
  for (const auto& result : results) {
    EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition) << result.status();
    EXPECT_EQ(GetErrorInfo(result.status()).reason, "BATCH_AXIS");
    EXPECT_THAT(std::string(result.status().message()),
                HasSubstr("method \"step\": output \"y\" has shape (3, 1); expected an outermost axis of 1"));
  }
}

}  // namespace
}  // namespace stepwell::onnx
