#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;

StepRequest StepBy(int32_t x) { return {.inputs = {{"x", Array::Scalar<int32_t>(x)}}}; }

TEST_P(Conformance, StepsInOrderStartWhereTheOneBeforeEnded) {
  const Version root = Make("ordered");
  const auto results = api().StepInOrder(BranchName{"ordered"}, {StepBy(1), StepBy(2), StepBy(3)});
  ASSERT_EQ(results.size(), 3u);
  Version parent = root;
  int32_t sum = 0;
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(results[i].ok()) << results[i].status();
    sum += static_cast<int32_t>(i) + 1;
    EXPECT_THAT(results[i]->outputs[0].second.As<int32_t>().value(), ElementsAre(sum));
    EXPECT_EQ(api().GetSnapshot(results[i]->version)->parent, parent);
    parent = results[i]->version;
  }
  EXPECT_EQ(api().GetBranch("ordered")->head, parent);
}

TEST_P(Conformance, StepOfAnOrderThatFailsLeavesTheStateWhereItWas) {
  const Version root = Make();
  StepRequest bad;
  bad.inputs = {{"x", Array::Scalar<float>(1)}};
  StepRequest unknown = StepBy(1);
  unknown.method = "fly";
  StepRequest dry = StepBy(100);
  dry.keep = false;
  const auto results = api().StepInOrder(root, {StepBy(1), bad, unknown, dry, StepBy(2)});
  ASSERT_EQ(results.size(), 5u);
  ExpectError(results[1].status(), absl::StatusCode::kInvalidArgument);
  ExpectError(results[2].status(), absl::StatusCode::kNotFound, "METHOD_NOT_FOUND");
  ASSERT_TRUE(results[3].ok()) << results[3].status();
  EXPECT_EQ(results[3]->version, results[0]->version) << "it was not kept";
  ASSERT_TRUE(results[4].ok()) << results[4].status();
  EXPECT_EQ(Count(results[4]->version).value(), 3);
  EXPECT_EQ(api().GetSnapshot(results[4]->version)->step_count, 2);
}

TEST_P(Conformance, StepsInOrderFetchAndLabel) {
  StepRequest step = StepBy(4);
  step.fetch = {{IndexPath{"count"}, {}}};
  step.labels = {{"tick", "1"}};
  const auto results = api().StepInOrder(Make(), {step});
  ASSERT_EQ(results.size(), 1u);
  ASSERT_TRUE(results[0].ok()) << results[0].status();
  EXPECT_THAT(results[0]->fetched[0].second.As<int32_t>().value(), ElementsAre(4));
  EXPECT_EQ(api().GetSnapshot(results[0]->version)->labels->at("tick"), "1");
}

}  // namespace
}  // namespace stepwell::testing
