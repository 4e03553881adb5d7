#include "stepwell/model/onnx/onnx_graph.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/temp_folder.h"

namespace stepwell::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(OnnxGraph, TellsWhatItTakesAndGives) {
  testing::GraphBuilder graph;
  graph.Input({"a", DType::kFloat32, {{Dim::kDynamic, "batch"}, {3}, {Dim::kDynamic, ""}}})
      .Input({"b", DType::kBool, {}})
      .Node("Identity", {"a"}, {"y"})
      .Node("Not", {"b"}, {"z"})
      .Output({"z", DType::kBool, {}})
      .Output({"y", DType::kFloat32, {{Dim::kDynamic, "batch"}, {3}, {Dim::kDynamic, ""}}});
  const testing::TempFolder folder;
  folder.Write("step.onnx", graph.Bytes());
  Issues issues;
  const auto loaded = OnnxGraph::Load(*Package::Open(folder.path()), "step.onnx", {}, issues);
  EXPECT_THAT(issues.lines(), IsEmpty());
  ASSERT_NE(loaded, nullptr);
  const auto names = [](const std::vector<TensorSpec>& specs) {
    std::vector<std::string> told;
    for (const TensorSpec& spec : specs) told.push_back(spec.name + ": " + spec.ToString());
    return told;
  };
  EXPECT_THAT(names(loaded->info().inputs), ElementsAre("a: float32 (batch, 3, ?)", "b: bool ()"));
  EXPECT_THAT(names(loaded->info().outputs), ElementsAre("z: bool ()", "y: float32 (batch, 3, ?)"));
}

// Threads that share a session's arena wait for each other.
TEST(OnnxGraph, SessionAllocatesWithoutAnArena) {
  const testing::TempFolder folder;
  folder.Write("step.onnx", testing::CounterGraph().Bytes());
  Issues issues;
  const auto graph = OnnxGraph::Load(*Package::Open(folder.path()), "step.onnx", {}, issues);
  ASSERT_NE(graph, nullptr);
  OrtMemoryInfo* raw_memory = nullptr;
  ASSERT_TRUE(FromOrt(Ort().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &raw_memory)).ok());
  const OrtMemoryInfoPtr memory(raw_memory);
  OrtAllocator* allocator = nullptr;
  ASSERT_TRUE(FromOrt(Ort().CreateAllocator(graph->session(), memory.get(), &allocator)).ok());
  const OrtMemoryInfo* info = nullptr;
  ASSERT_TRUE(FromOrt(Ort().AllocatorGetInfo(allocator, &info)).ok());
  OrtAllocatorType type = OrtInvalidAllocator;
  ASSERT_TRUE(FromOrt(Ort().MemoryInfoGetType(info, &type)).ok());
  EXPECT_EQ(type, OrtDeviceAllocator);
  Ort().ReleaseAllocator(allocator);
}

TEST(OnnxGraph, RuntimeErrorsArePrintable) {
  OrtStatus* status = Ort().CreateStatus(ORT_FAIL, "no \xFF\x01 here\nnor there");
  const absl::Status converted = FromOrt(status);
  EXPECT_EQ(converted.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(converted.message(), "no ?? here\nnor there");
}

}  // namespace
}  // namespace stepwell::onnx
