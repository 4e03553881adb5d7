// BatchStep with all_or_nothing.
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

StepRequest Plus(StateRef state, int32_t x) {
  return {.state = std::move(state), .inputs = {{"x", Array::Scalar<int32_t>(x)}}};
}

std::vector<Version> AllCounters(Api& api) {
  return VersionsOf(api.ListSnapshots({.of = ListSnapshotsRequest::Model{"counter"}}));
}

TEST_P(Conformance, AllOrNothingEveryStepIsCommitted) {
  // Not in the order of names.
  const Version b = Make("b");
  const Version a = Make("a");
  const Version loose = Make();
  const auto batch = api().BatchStep(
      {.steps = {Plus(BranchName{"b"}, 1), Plus(loose, 2), Plus(BranchName{"a"}, 3), Plus(loose, 4)},
       .all_or_nothing = true});
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_THAT(*batch, SizeIs(4));
  const std::vector<Version> parents = {b, loose, a, loose};
  for (size_t i = 0; i < 4; ++i) {
    const auto& result = (*batch)[i];
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->outputs.at(0).second, Array::Scalar(static_cast<int32_t>(i + 1)));
    EXPECT_EQ(Count(result->version).value(), static_cast<int32_t>(i + 1));
    EXPECT_EQ(api().GetSnapshot(result->version)->parent, parents[i]);
  }
  EXPECT_EQ(api().GetBranch("b")->head, (*batch)[0]->version);
  EXPECT_EQ(api().GetBranch("a")->head, (*batch)[2]->version);
  EXPECT_TRUE(Add(BranchName{"a"}, 10).ok()) << "the turns are given on";
}

TEST_P(Conformance, AllOrNothingNoneIsCommittedWhereOneFails) {
  const Version live = Make("live");
  const Version other = Make("other");
  StepRequest moved = Plus(BranchName{"other"}, 1);
  moved.expected_head = Version(other.value() + 1000);
  const std::vector<std::pair<StepRequest, std::pair<absl::StatusCode, std::string>>> wrong = {
      {Plus(BranchName{"nowhere"}, 1), {absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND"}},
      {moved, {absl::StatusCode::kAborted, "HEAD_MOVED"}},
      {Plus(Version(1 << 30), 1), {absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN"}},
      {{.state = live}, {absl::StatusCode::kInvalidArgument, ""}},
      {{.state = live, .inputs = {{"x", Array::Scalar<int32_t>(1)}}, .output_names = {"z"}},
       {absl::StatusCode::kInvalidArgument, ""}}};
  for (const auto& [bad, error] : wrong) {
    const auto batch = api().BatchStep(
        {.steps = {Plus(BranchName{"live"}, 1), Plus(live, 1), bad, Plus(live, 2)}, .all_or_nothing = true});
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_THAT(*batch, SizeIs(4));
    ExpectError((*batch)[2].status(), error.first, error.second);
    for (const size_t i : {0, 1, 3}) {
      ExpectError((*batch)[i].status(), absl::StatusCode::kAborted, "BATCH_NOT_COMMITTED");
      EXPECT_EQ(api().Metadata((*batch)[i].status(), "step"), "2");
    }
  }
  EXPECT_THAT(AllCounters(api()), ElementsAre(other, live));
  EXPECT_EQ(api().GetBranch("live")->head, live);
  EXPECT_EQ(api().GetBranch("other")->head, other);
  for (const char* branch : {"live", "other"}) {
    EXPECT_TRUE(Add(BranchName{branch}, 1).ok()) << "the turn of " << branch << " is given on";
  }
}

TEST_P(Conformance, AllOrNothingNoneIsCommittedWhereOneFailsOnceComputed) {
  const auto made = api().MakeState({.model = "gru_batch", .branch = "gru"});
  ASSERT_TRUE(made.ok()) << made.status();
  const Version live = Make("live");
  const std::vector<float> nan(32, std::numeric_limits<float>::quiet_NaN());
  StepRequest bad = {.state = BranchName{"gru"}, .inputs = {{"x", Array::From<float>({32}, nan).value()}}};
  bad.check_finite = true;
  const auto batch = api().BatchStep({.steps = {Plus(BranchName{"live"}, 1), bad}, .all_or_nothing = true});
  ASSERT_TRUE(batch.ok()) << batch.status();
  ExpectError((*batch)[0].status(), absl::StatusCode::kAborted, "BATCH_NOT_COMMITTED");
  EXPECT_EQ(api().Metadata((*batch)[0].status(), "step"), "1");
  ExpectError((*batch)[1].status(), absl::StatusCode::kFailedPrecondition, "NON_FINITE");
  EXPECT_THAT(AllCounters(api()), ElementsAre(live));
  EXPECT_EQ(api().GetBranch("gru")->head, made->snapshot.version);
  EXPECT_TRUE(Add(BranchName{"live"}, 1).ok()) << "the turn is given on";
}

TEST_P(Conformance, AllOrNothingStepsThatMintNothingAreAmongThem) {
  const Version live = Make("live");
  StepRequest unkept = Plus(BranchName{"live"}, 5);
  unkept.keep = false;
  for (const std::string id : {"", "some", "some"}) {
    const auto batch =
        api().BatchStep({.steps = {unkept, Plus(live, 1)}, .all_or_nothing = true, .request_id = id});
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_TRUE((*batch)[0].ok()) << (*batch)[0].status();
    EXPECT_EQ((*batch)[0]->version, live);
    EXPECT_EQ((*batch)[0]->outputs.at(0).second, Array::Scalar<int32_t>(5));
    EXPECT_TRUE((*batch)[1].ok()) << (*batch)[1].status();
  }
  EXPECT_THAT(AllCounters(api()), SizeIs(3));
  const auto nothing = api().BatchStep({.steps = {unkept}, .all_or_nothing = true});
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_EQ((*nothing)[0]->version, live);
  EXPECT_TRUE(Add(BranchName{"live"}, 1).ok()) << "the turn is given on";
}

TEST_P(Conformance, AllOrNothingTwoStepsOfOneBranchAreRefused) {
  const Version live = Make("live");
  ExpectError(
      api()
          .BatchStep({.steps = {Plus(BranchName{"live"}, 1), Plus(live, 1), Plus(BranchName{"live"}, 1)},
                      .all_or_nothing = true})
          .status(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(AllCounters(api()), ElementsAre(live));
}

TEST_P(Conformance, AllOrNothingRepeatIsAnsweredAsTheFirstWas) {
  Make("one");
  const Version two = Make("two");
  const BatchStepRequest request{.steps = {Plus(BranchName{"one"}, 1), Plus(BranchName{"two"}, 2)},
                                 .all_or_nothing = true,
                                 .request_id = "batch"};
  const auto first = api().BatchStep(request);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(Add(BranchName{"one"}, 10).ok());
  const auto again = api().BatchStep(request);
  ASSERT_TRUE(again.ok()) << again.status();
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE((*again)[i].ok()) << (*again)[i].status();
    EXPECT_EQ((*again)[i]->version, (*first)[i]->version);
    EXPECT_EQ((*again)[i]->outputs, (*first)[i]->outputs);
  }
  EXPECT_EQ(Count(BranchName{"one"}).value(), 11);
  EXPECT_EQ(api().GetSnapshot(BranchName{"two"})->parent, two);

  BatchStepRequest other = request;
  other.all_or_nothing = false;
  ExpectError(api().BatchStep(other).status(), absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED");
}

TEST_P(Conformance, AllOrNothingFailedBatchIsTriedAgainByItsRepeat) {
  Make("one");
  const BatchStepRequest request{.steps = {Plus(BranchName{"one"}, 1), Plus(BranchName{"two"}, 2)},
                                 .all_or_nothing = true,
                                 .request_id = "batch"};
  const auto first = api().BatchStep(request);
  ASSERT_TRUE(first.ok()) << first.status();
  ExpectError((*first)[0].status(), absl::StatusCode::kAborted, "BATCH_NOT_COMMITTED");
  EXPECT_EQ(Count(BranchName{"one"}).value(), 0);
  Make("two");
  for (int i = 0; i < 2; ++i) {
    const auto again = api().BatchStep(request);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE((*again)[0].ok()) << (*again)[0].status();
    EXPECT_TRUE((*again)[1].ok()) << (*again)[1].status();
  }
  EXPECT_EQ(Count(BranchName{"one"}).value(), 1);
  EXPECT_EQ(Count(BranchName{"two"}).value(), 2);
}

}  // namespace
}  // namespace stepwell::testing
