#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Pair;

Array Int(int32_t value) { return Array::Scalar<int32_t>(value); }

TEST_P(Conformance, RepeatedStepIsOneStep) {
  Make("live");
  const StepRequest request{.state = BranchName{"live"},
                            .inputs = {{"x", Int(5)}},
                            .fetch = {{IndexPath{"count"}, {}}},
                            .request_id = "once"};
  const auto first = api().Step(request);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(Add(BranchName{"live"}, 100).ok()) << "the head is elsewhere when the repeat comes";
  const auto again = api().Step(request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->version, first->version);
  EXPECT_EQ(again->outputs, first->outputs);
  EXPECT_EQ(again->fetched, first->fetched);
  EXPECT_EQ(Count(BranchName{"live"}).value(), 105);
}

TEST_P(Conformance, RepeatedOutputsAreBitForBitTheSame) {
  const auto made = api().MakeState({.model = "batchnorm_batch"});
  ASSERT_TRUE(made.ok()) << made.status();
  std::vector<float> values(size_t{8} * 4);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1.0f / static_cast<float>(i + 3);
  const StepRequest request{.state = made->snapshot.version,
                            .inputs = {{"x", Array::From<float>({8, 4}, values).value()}},
                            .request_id = "bits"};
  const auto first = api().Step(request);
  ASSERT_TRUE(first.ok()) << first.status();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(api().Step(request)->outputs, first->outputs);
}

TEST_P(Conformance, RepeatsWhileTheFirstRunsAreOneStep) {
  Make("live");
  std::vector<Version> versions(16, Version(0));
  std::vector<std::thread> threads;
  for (Version& version : versions) {
    threads.emplace_back([this, &version] {
      const auto stepped =
          api().Step({.state = BranchName{"live"}, .inputs = {{"x", Int(1)}}, .request_id = "together"});
      ASSERT_TRUE(stepped.ok()) << stepped.status();
      version = stepped->version;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(versions, Each(versions.front()));
  EXPECT_EQ(Count(BranchName{"live"}).value(), 1);
}

TEST_P(Conformance, RequestIdOfAnotherRequestIsRefused) {
  const Version root = Make();
  ASSERT_TRUE(api().Step({.state = root, .inputs = {{"x", Int(1)}}, .request_id = "a"}).ok());
  for (const StepRequest& other :
       {StepRequest{.state = root, .inputs = {{"x", Int(2)}}, .request_id = "a"},
        StepRequest{.state = root, .inputs = {{"x", Int(1)}}, .labels = {{"b", "c"}}, .request_id = "a"},
        StepRequest{.state = root, .inputs = {{"x", Int(1)}}, .keep = false, .request_id = "a"},
        StepRequest{.state = root, .inputs = {{"x", Int(1)}}, .check_finite = true, .request_id = "a"}}) {
    const absl::Status refused = api().Step(other).status();
    ExpectError(refused, absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED");
    EXPECT_EQ(api().Metadata(refused, "request_id"), "a");
  }
  ExpectError(api().MakeState({.model = "counter", .request_id = "a"}).status(),
              absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED");
  ExpectError(api().MakeState({.model = "counter", .request_id = std::string(129, 'a')}).status(),
              absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(api().MakeState({.model = "counter", .request_id = std::string(128, 'a')}).ok());
}

TEST_P(Conformance, WhatFailedMayBeTriedAgainUnderItsId) {
  const StepRequest request{.state = BranchName{"later"}, .inputs = {{"x", Int(3)}}, .request_id = "retry"};
  ExpectError(api().Step(request).status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  Make("later");
  EXPECT_TRUE(api().Step(request).ok());
  EXPECT_TRUE(api().Step(request).ok());
  EXPECT_EQ(Count(BranchName{"later"}).value(), 3);
}

TEST_P(Conformance, RepeatOfWhatMintsNothingReadsWhatTheFirstRead) {
  const Version root = Make("live");
  const StepRequest request{
      .state = BranchName{"live"}, .inputs = {{"x", Int(5)}}, .keep = false, .request_id = "dry"};
  const auto first = api().Step(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->version, root);
  ASSERT_TRUE(Add(BranchName{"live"}, 100).ok());
  const auto again = api().Step(request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->version, root);
  EXPECT_EQ(again->outputs, first->outputs);
}

TEST_P(Conformance, EveryMutationIsDoneOnceUnderItsId) {
  const MakeStateRequest make{.model = "counter", .branch = "live", .request_id = "make"};
  const auto made = api().MakeState(make);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto made_again = api().MakeState(make);
  ASSERT_TRUE(made_again.ok()) << made_again.status();
  EXPECT_EQ(made_again->snapshot.version, made->snapshot.version);
  EXPECT_EQ(made_again->branch->head, made->branch->head);
  EXPECT_EQ(made_again->branch->create_time, made->branch->create_time);

  const SetArraysRequest set{
      .state = BranchName{"live"}, .arrays = {{IndexPath{"count"}, Int(7)}}, .request_id = "set"};
  const auto version = api().SetArrays(set)->version;
  EXPECT_EQ(api().SetArrays(set)->version, version);

  const CreateBranchRequest create{.name = "fork", .state = BranchName{"live"}, .request_id = "create"};
  ASSERT_TRUE(api().CreateBranch(create).ok());
  const Version head = Add(BranchName{"live"}, 1).value();
  EXPECT_EQ(api().CreateBranch(create)->head, version);

  const UpdateBranchRequest move{
      .name = "fork", .head = head, .expected_head = version, .request_id = "move"};
  ASSERT_TRUE(api().UpdateBranch(move).ok());
  EXPECT_EQ(api().UpdateBranch(move)->head, head) << "expected_head is that of the first";

  const UpdateSnapshotRequest label{.version = head, .labels = Labels{{"a", "1"}}, .request_id = "label"};
  ASSERT_TRUE(api().UpdateSnapshot(label).ok());
  EXPECT_THAT(*api().UpdateSnapshot(label)->labels, ElementsAre(Pair("a", "1")));

  const DeleteBranchRequest drop{.name = "fork", .request_id = "drop"};
  ASSERT_TRUE(api().DeleteBranch(drop).ok());
  EXPECT_TRUE(api().DeleteBranch(drop).ok());
}

}  // namespace
}  // namespace stepwell::testing
