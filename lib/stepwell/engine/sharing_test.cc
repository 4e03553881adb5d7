// A step copies no state: what it does not write is shared, and what it writes is stored where it was
// computed.
#include "gtest/gtest.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/temp_folder.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell {
namespace {

TEST(Sharing, StepCopiesNoState) {
  const TensorSpec moving{"moving", DType::kFloat32, {{1000}}};
  const TensorSpec still{"still", DType::kFloat32, {{1000}}};
  testing::GraphBuilder graph;
  graph.Input(moving)
      .Input(still)
      .Node("Add", {"moving", "still"}, {"moving.next"})
      .Output({"moving.next", DType::kFloat32, {{1000}}});
  const testing::TempFolder folder;
  folder.Write("m/step.onnx", graph.Bytes());
  folder.Write("m/model.textproto",
               "state { index: \"moving\" dtype: FLOAT32 shape: [1000] }\n"
               "state { index: \"still\" dtype: FLOAT32 shape: [1000] constant { value: 1 } }\n"
               "method { name: \"step\" }");
  const SystemClock clock;
  MemoryStore store;
  ModelRepository models({.root = folder.path()});
  ASSERT_TRUE(models.Load("m").ok());
  Engine engine({}, &store, &models, &clock);

  const auto root = Await(engine, &Engine::MakeState, {.model = "m"});
  ASSERT_TRUE(root.ok()) << root.status();
  std::shared_ptr<const Snapshot> before = root->snapshot;
  const std::byte* const shared = before->arrays()[1].bytes().data();
  for (int i = 1; i <= 20; ++i) {
    const auto stepped =
        Await(engine, &Engine::Step, {.state = before->version(), .fetch = {{IndexSubtree{""}, {}}}});
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    const Snapshot& after = *stepped->snapshot;
    EXPECT_EQ(after.arrays()[1].bytes().data(), shared);
    EXPECT_EQ(after.record().writers[1], root->snapshot->version());
    EXPECT_NE(after.arrays()[0].bytes().data(), before->arrays()[0].bytes().data());
    EXPECT_EQ(after.arrays()[0].As<float>().value()[999], static_cast<float>(i));
    EXPECT_EQ(before->arrays()[0].As<float>().value()[999], static_cast<float>(i - 1));
    EXPECT_EQ(after.record().new_bytes, 4000);
    // What the method computed is what is stored and what is sent.
    EXPECT_EQ(stepped->fetched[0].second.bytes().data(), after.arrays()[0].bytes().data());
    EXPECT_EQ(stepped->fetched[1].second.bytes().data(), shared);
    before = stepped->snapshot;
  }
}

}  // namespace
}  // namespace stepwell
