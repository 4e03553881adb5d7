#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::SizeIs;

StepRequest AddTo(StateRef state, int32_t x) {
  return {.state = std::move(state), .inputs = {{"x", Array::Scalar<int32_t>(x)}}};
}

TEST_P(Conformance, BatchStepsEveryStateByItself) {
  constexpr int kStates = 300;
  BatchStepRequest request;
  for (int i = 0; i < kStates; ++i) {
    const std::string name = absl::StrCat("state/", i);
    Make(name);
    request.steps.push_back(AddTo(BranchName{name}, i));
  }
  const auto batch = api().BatchStep(request);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_THAT(*batch, SizeIs(kStates));
  for (int i = 0; i < kStates; ++i) {
    const auto& result = (*batch)[static_cast<size_t>(i)];
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->outputs.at(0).second, Array::Scalar<int32_t>(i));
    EXPECT_EQ(api().GetBranch(absl::StrCat("state/", i))->head, result->version);
  }
}

TEST_P(Conformance, BadMembersOfABatchFailAlone) {
  const Version root = Make("live");
  BatchStepRequest request;
  request.steps = {
      AddTo(BranchName{"live"}, 1), AddTo(BranchName{"nowhere"}, 1), AddTo(root, 5), {.state = root},
      AddTo(Version(1 << 30), 1),   AddTo(BranchName{"live"}, 1)};
  request.steps[2].expected_head = root;  // With a version, which has no head.
  const auto batch = api().BatchStep(request);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_THAT(*batch, SizeIs(6));
  EXPECT_TRUE((*batch)[0].ok());
  ExpectError((*batch)[1].status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError((*batch)[2].status(), absl::StatusCode::kInvalidArgument);
  ExpectError((*batch)[3].status(), absl::StatusCode::kInvalidArgument);
  ExpectError((*batch)[4].status(), absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
  EXPECT_TRUE((*batch)[5].ok());
  EXPECT_EQ(Count(BranchName{"live"}).value(), 2);
}

TEST_P(Conformance, BatchThatIsNoneIsRefused) {
  ExpectError(api().BatchStep({}).status(), absl::StatusCode::kInvalidArgument);
}

TEST_P(Conformance, RepeatedBatchStepsOnlyWhatFailedBefore) {
  Make("one");
  const BatchStepRequest request{.steps = {AddTo(BranchName{"one"}, 1), AddTo(BranchName{"two"}, 2)},
                                 .request_id = "batch"};
  const auto first = api().BatchStep(request);
  ASSERT_TRUE(first.ok()) << first.status();
  ExpectError((*first)[1].status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  Make("two");
  for (int i = 0; i < 2; ++i) {
    const auto again = api().BatchStep(request);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ((*again)[0]->version, (*first)[0]->version);
    EXPECT_EQ((*again)[0]->outputs, (*first)[0]->outputs);
    EXPECT_TRUE((*again)[1].ok());
  }
  EXPECT_EQ(Count(BranchName{"one"}).value(), 1);
  EXPECT_EQ(Count(BranchName{"two"}).value(), 2);
  BatchStepRequest other = request;
  other.steps.push_back(AddTo(BranchName{"one"}, 1));
  ExpectError(api().BatchStep(other).status(), absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED");
  EXPECT_EQ(Count(BranchName{"one"}).value(), 1);
}

}  // namespace
}  // namespace stepwell::testing
