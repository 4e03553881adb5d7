// What ONNX Runtime does with memory, threads and failures, seen through Method::Run.
#include "stepwell/model/onnx/onnx_method.h"

#include <filesystem>
#include <thread>

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

const Dim kAny = {Dim::kDynamic, ""};

Array Floats(std::vector<int64_t> dims, std::vector<float> values) {
  return Array::From<float>(dims, values).value();
}

TensorSpec FloatSpec(const std::string& name, std::vector<Dim> dims) {
  return {name, DType::kFloat32, std::move(dims)};
}

class OnnxMethodTest : public ::testing::Test {
 protected:
  // The model of one graph whose methods and state `text` tells; null, and the test fails, when it is wrong.
  std::shared_ptr<const Model> Load(const GraphBuilder& graph, const std::string& state,
                                    int threads_per_session = 1) {
    folder_.Write("step.onnx", graph.Bytes());
    folder_.Write("model.textproto", state + "\nmethod { name: \"step\" }");
    const auto model =
        LoadModel(*Package::Open(folder_.path()), "m", {.threads_per_session = threads_per_session});
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? *model : nullptr;
  }

  static MethodResult Run(const Model& model, std::vector<Array> inputs, std::vector<Array> state) {
    const auto result = model.methods()[0]->Run(inputs, state);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : MethodResult();
  }

  testing::TempFolder folder_;
};

// sum.next = sum + x and y = sum.next, with `dims` for all of them.
GraphBuilder SumGraph(const std::vector<Dim>& dims) {
  GraphBuilder graph;
  graph.Input(FloatSpec("sum", dims))
      .Input(FloatSpec("x", dims))
      .Node("Add", {"sum", "x"}, {"sum.next"})
      .Node("Identity", {"sum.next"}, {"y"})
      .Output(FloatSpec("y", dims))
      .Output(FloatSpec("sum.next", dims));
  return graph;
}

constexpr char kSumOfTwo[] = "state { index: \"sum\" dtype: FLOAT32 shape: [2] }";

TEST_F(OnnxMethodTest, LaterRunsDoNotOverwriteWhatEarlierOnesMade) {
  for (const Dim& dim : {Dim{2}, kAny}) {
    SCOPED_TRACE(dim.extent);
    const auto model = Load(SumGraph({dim}), kSumOfTwo);
    ASSERT_NE(model, nullptr);
    std::vector<Array> states = {Floats({2}, {0, 100})};
    std::vector<Array> outputs;
    for (int i = 0; i < 100; ++i) {
      const MethodResult result = Run(*model, {Floats({2}, {1, -1})}, {states.back()});
      ASSERT_EQ(result.written.size(), 1u);
      states.push_back(result.written[0]);
      outputs.push_back(result.outputs[0]);
    }
    for (size_t i = 0; i < states.size(); ++i) {
      const auto steps = static_cast<float>(i);
      ASSERT_EQ(states[i], Floats({2}, {steps, 100 - steps})) << i;
      if (i > 0) {
        ASSERT_EQ(outputs[i - 1], states[i]) << i;
      }
    }
  }
}

TEST_F(OnnxMethodTest, InputsAndStateAreNotWritten) {
  // Operators that ONNX Runtime runs in place where it may.
  GraphBuilder graph;
  graph.Input(FloatSpec("h", {{2}}))
      .Input(FloatSpec("x", {{2}}))
      .Node("Relu", {"h"}, {"a"})
      .Node("Neg", {"x"}, {"b"})
      .Node("Add", {"a", "b"}, {"h.next"})
      .Output(FloatSpec("h.next", {{2}}));
  const auto model = Load(graph, "state { index: \"h\" dtype: FLOAT32 shape: [2] }");
  ASSERT_NE(model, nullptr);
  const Array h = Floats({2}, {-1, 1});
  const Array x = Floats({2}, {3, -4});
  EXPECT_EQ(Run(*model, {x}, {h}).written[0], Floats({2}, {-3, 5}));
  EXPECT_EQ(h, Floats({2}, {-1, 1}));
  EXPECT_EQ(x, Floats({2}, {3, -4}));
}

// Whether the bytes of `a` lie in those of `b`.
bool IsWithin(const Array& a, const Array& b) {
  return a.bytes().data() >= b.bytes().data() && a.bytes().data() < b.bytes().data() + b.bytes().size();
}

TEST_F(OnnxMethodTest, OutputThatIsAnInputUnderAnotherNameHasItsOwnBytes) {
  for (const Dim& dim : {Dim{4}, kAny}) {
    SCOPED_TRACE(dim.extent);
    GraphBuilder graph;
    graph.Input(FloatSpec("h", {dim}))
        .Input(FloatSpec("x", {dim}))
        .Initializer("square", Array::From<int64_t>({2}, {2, 2}).value())
        .Node("Identity", {"h"}, {"y"})
        .Node("Reshape", {"x", "square"}, {"z"})
        .Node("Identity", {"x"}, {"h.next"})
        .Output(FloatSpec("y", {dim}))
        .Output(FloatSpec("z", {dim, dim}))
        .Output(FloatSpec("h.next", {dim}));
    if (!dim.is_dynamic()) {
      for (int i = 0; i < 2; ++i) {
        graph.model()
            .mutable_graph()
            ->mutable_output(1)
            ->mutable_type()
            ->mutable_tensor_type()
            ->mutable_shape()
            ->mutable_dim(i)
            ->set_dim_value(2);
      }
    }
    const auto model = Load(graph, "state { index: \"h\" dtype: FLOAT32 shape: [4] }");
    ASSERT_NE(model, nullptr);
    const Array h = Floats({4}, {1, 2, 3, 4});
    MethodResult result;
    {
      // The request's bytes, which do not outlive the call.
      std::vector<float> bytes = {5, 6, 7, 8};
      const auto x =
          Array::Make(DType::kFloat32, Shape::Of({4}),
                      Buffer::Adopt(nullptr, {reinterpret_cast<const std::byte*>(bytes.data()), 16}));
      result = Run(*model, {*x}, {h});
      ASSERT_EQ(result.outputs.size(), 2u);
      EXPECT_FALSE(IsWithin(result.outputs[0], h));
      EXPECT_FALSE(IsWithin(result.outputs[1], *x));
      EXPECT_FALSE(IsWithin(result.written[0], *x));
      bytes.assign(4, -1);
    }
    EXPECT_EQ(result.outputs[0], h);
    EXPECT_EQ(result.outputs[1], Floats({2, 2}, {5, 6, 7, 8}));
    EXPECT_EQ(result.written[0], Floats({4}, {5, 6, 7, 8}));
  }
}

TEST_F(OnnxMethodTest, GraphInputThatIsAnOutputItselfHasItsOwnBytes) {
  for (const Dim& dim : {Dim{2}, kAny}) {
    SCOPED_TRACE(dim.extent);
    GraphBuilder graph;
    graph.Input(FloatSpec("x", {dim})).Output(FloatSpec("x", {dim})).Output(FloatSpec("y", {dim}));
    graph.Node("Neg", {"x"}, {"y"});
    const auto model = Load(graph, "");
    ASSERT_NE(model, nullptr);
    const Array x = Floats({2}, {1, 2});
    const MethodResult result = Run(*model, {x}, {});
    ASSERT_EQ(result.outputs.size(), 2u);
    EXPECT_EQ(result.outputs[0], x);
    EXPECT_FALSE(IsWithin(result.outputs[0], x));
    EXPECT_EQ(result.outputs[1], Floats({2}, {-1, -2}));
  }
}

TEST_F(OnnxMethodTest, WeightsThatAreAnOutputOutliveTheModel) {
  for (const Dim& dim : {Dim{2}, kAny}) {
    SCOPED_TRACE(dim.extent);
    GraphBuilder graph;
    graph.Input(FloatSpec("x", {{2}}))
        .Initializer("w", Floats({2}, {7, 8}))
        .Node("Add", {"x", "w"}, {"y"})
        .Output(FloatSpec("y", {{2}}))
        .Output(FloatSpec("w", {dim}));
    auto model = Load(graph, "");
    ASSERT_NE(model, nullptr);
    const MethodResult result = Run(*model, {Floats({2}, {1, 1})}, {});
    model = nullptr;
    ASSERT_EQ(result.outputs.size(), 2u);
    EXPECT_EQ(result.outputs[1], Floats({2}, {7, 8}));
  }
}

TEST_F(OnnxMethodTest, WhatARunMadeOutlivesTheModel) {
  for (const Dim& dim : {Dim{2}, kAny}) {
    SCOPED_TRACE(dim.extent);
    auto model = Load(SumGraph({dim}), kSumOfTwo);
    ASSERT_NE(model, nullptr);
    const MethodResult result = Run(*model, {Floats({2}, {1, 2})}, {Floats({2}, {3, 4})});
    model = nullptr;
    EXPECT_EQ(result.written[0], Floats({2}, {4, 6}));
  }
}

TEST_F(OnnxMethodTest, ArraysWithoutElementsGoInAndOut) {
  for (const Dim& dim : {Dim{0}, kAny}) {
    SCOPED_TRACE(dim.extent);
    const auto model = Load(SumGraph({dim, {3}}), "state { index: \"sum\" dtype: FLOAT32 shape: [0, 3] }");
    ASSERT_NE(model, nullptr);
    const MethodResult result = Run(*model, {Floats({0, 3}, {})}, {Floats({0, 3}, {})});
    EXPECT_EQ(result.outputs[0], Floats({0, 3}, {}));
    EXPECT_EQ(result.written[0], Floats({0, 3}, {}));
    const Array null = Array::Unchecked(DType::kFloat32, Shape::Of({0, 3}), Buffer());
    EXPECT_EQ(Run(*model, {null}, {null}).written[0], Floats({0, 3}, {}));
  }
}

// y = x, of as many rows as there are, and log.next = log with x below it.
GraphBuilder LogGraph() {
  GraphBuilder graph;
  graph.Input(FloatSpec("log", {kAny, {2}}))
      .Input(FloatSpec("x", {kAny, {2}}))
      .Node("Concat", {"log", "x"}, {"log.next"})
      .Output(FloatSpec("log.next", {kAny, {2}}));
  auto& axis = *graph.model().mutable_graph()->mutable_node(0)->add_attribute();
  axis.set_name("axis");
  axis.set_type(2);
  return graph;
}

constexpr char kLog[] = "state { index: \"log\" dtype: FLOAT32 shape: [-1, 2] }";

TEST_F(OnnxMethodTest, OutputsOfAnyShapeTakeTheShapeOfTheRun) {
  const auto model = Load(LogGraph(), kLog);
  ASSERT_NE(model, nullptr);
  std::vector<Array> log = {Floats({0, 2}, {})};
  for (int i = 0; i < 4; ++i) {
    log.push_back(Run(*model, {Floats({1, 2}, {static_cast<float>(i), 0})}, {log.back()}).written.at(0));
  }
  EXPECT_EQ(log[4], Floats({4, 2}, {0, 0, 1, 0, 2, 0, 3, 0}));
  EXPECT_EQ(log[2], Floats({2, 2}, {0, 0, 1, 0}));
  EXPECT_EQ(Run(*model, {Floats({0, 2}, {})}, {log[0]}).written.at(0), log[0]);
}

TEST_F(OnnxMethodTest, FailedRunIsAStatusAndTheNextRunIsRight) {
  // sum has the size that the spec says; x has any.
  GraphBuilder graph = SumGraph({kAny});
  const auto model = Load(graph, kSumOfTwo);
  ASSERT_NE(model, nullptr);
  for (int i = 0; i < 3; ++i) {
    const auto failed = model->methods()[0]->Run({Floats({3}, {1, 2, 3})}, {Floats({2}, {1, 2})});
    EXPECT_EQ(failed.status().code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(failed.status().message()), ::testing::StartsWith("method \"step\": "));
    EXPECT_EQ(Run(*model, {Floats({2}, {1, 2})}, {Floats({2}, {3, 4})}).written.at(0), Floats({2}, {4, 6}));
  }
}

TEST_F(OnnxMethodTest, OutputOfAnotherShapeThanTheGraphDeclaresIsAnErrorAndWritesNothingBeyond) {
  GraphBuilder graph;
  graph.Input(FloatSpec("x", {kAny})).Node("Identity", {"x"}, {"y"}).Output(FloatSpec("y", {{2}}));
  const auto model = Load(graph, "");
  ASSERT_NE(model, nullptr);
  const auto longer = model->methods()[0]->Run({Floats({3}, {1, 2, 3})}, {});
  EXPECT_EQ(longer.status().code(), absl::StatusCode::kInternal) << longer.status();
  EXPECT_EQ(Run(*model, {Floats({2}, {1, 2})}, {}).outputs.at(0), Floats({2}, {1, 2}));
}

TEST_F(OnnxMethodTest, AppendedRowsAreGivenAsTheyAreAndRefusedWhereTheyDoNotFit) {
  GraphBuilder graph;
  graph.Input(FloatSpec("x", {kAny, kAny}))
      .Node("Neg", {"x"}, {"h.append"})
      .Output(FloatSpec("h.append", {kAny, kAny}));
  const auto model = Load(graph, "state { index: \"h\" dtype: FLOAT32 shape: [-1, 2] }");
  ASSERT_NE(model, nullptr);
  const Method& method = *model->methods()[0];
  EXPECT_TRUE(method.is_growing());
  EXPECT_TRUE(method.appends(0));
  EXPECT_EQ(Run(*model, {Floats({1, 2}, {1, 2})}, {Floats({1, 2}, {0, 0})}).written.at(0),
            Floats({1, 2}, {-1, -2}));
  const auto wide = method.Run({Floats({1, 3}, {1, 2, 3})}, {Floats({1, 2}, {0, 0})});
  EXPECT_EQ(wide.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetErrorInfo(wide.status()).reason, "STATE_SPEC_MISMATCH");
  EXPECT_THAT(std::string(wide.status().message()),
              HasSubstr("what is appended to index \"h\" is float32 (1, 3); expected float32 (?, 2)"));
}

TEST_F(OnnxMethodTest, WrittenArrayThatDoesNotFitTheSpecIsRefused) {
  GraphBuilder graph;
  graph.Input(FloatSpec("x", {kAny})).Node("Identity", {"x"}, {"h.next"}).Output(FloatSpec("h.next", {kAny}));
  const auto model = Load(graph, "state { index: \"h\" dtype: FLOAT32 shape: [2] }");
  ASSERT_NE(model, nullptr);
  const auto result = model->methods()[0]->Run({Floats({3}, {1, 2, 3})}, {Floats({2}, {0, 0})});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetErrorInfo(result.status()).reason, "STATE_SPEC_MISMATCH");
  EXPECT_THAT(
      std::string(result.status().message()),
      HasSubstr("method \"step\" wrote what does not fit: the array for index \"h\" is float32 (3); expected "
                "float32 (2)"));
  EXPECT_EQ(Run(*model, {Floats({2}, {1, 2})}, {Floats({2}, {0, 0})}).written.at(0), Floats({2}, {1, 2}));
}

TEST_F(OnnxMethodTest, RunsAtOnceDoNotMix) {
  for (const Dim& dim : {Dim{2}, kAny}) {
    SCOPED_TRACE(dim.extent);
    const auto model = Load(SumGraph({dim}), kSumOfTwo);
    ASSERT_NE(model, nullptr);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&model, thread] {
        const auto step = static_cast<float>(thread + 1);
        const Array x = Floats({2}, {step, -step});
        Array state = Floats({2}, {0, 0});
        for (int i = 1; i <= 500; ++i) {
          state = Run(*model, {x}, {state}).written.at(0);
          const float sum = step * static_cast<float>(i);
          ASSERT_EQ(state, Floats({2}, {sum, -sum}));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST_F(OnnxMethodTest, RunTimeIsKnownAfterTheFirstRun) {
  const auto model = Load(SumGraph({{2}}), kSumOfTwo);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->methods()[0]->typical_run_time(1), absl::ZeroDuration());
  Run(*model, {Floats({2}, {1, 2})}, {Floats({2}, {3, 4})});
  EXPECT_GT(model->methods()[0]->typical_run_time(1), absl::ZeroDuration());
}

int ThreadCount() {
  return static_cast<int>(std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

TEST_F(OnnxMethodTest, SessionHasTheThreadsItIsTold) {
  std::thread([] {}).join();  // With the first one, the thread sanitizer starts one of its own.
  const int before = ThreadCount();
  const auto alone = Load(SumGraph({{2}}), kSumOfTwo, 1);
  EXPECT_EQ(ThreadCount(), before) << "none beside the caller's";
  const auto three = Load(SumGraph({{2}}), kSumOfTwo, 3);
  EXPECT_EQ(ThreadCount(), before + 2) << "two beside the caller's";
}

}  // namespace
}  // namespace stepwell::onnx
