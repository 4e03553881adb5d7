#include <fstream>

#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;

// Drops come in the background.
absl::Status WaitForDrop(Api& api, Version version) {
  absl::Status status;
  while (status.ok()) status = api.GetSnapshot(version).status();
  return status;
}

std::vector<Version> AncestorsOfHead(Api& api, const std::string& branch) {
  return VersionsOf(api.ListSnapshots({.of = StateRef(BranchName{branch})}));
}

TEST_P(Conformance, BranchHasThePolicyThatItIsGiven) {
  const Version root = Make();
  const RetentionPolicy policy{.keep_last = 5, .keep_every = 10, .max_age = absl::Milliseconds(90'500)};
  EXPECT_EQ(api().CreateBranch({.name = "own", .state = root, .retention = policy})->retention, policy);
  EXPECT_EQ(api().GetBranch("own")->retention, policy);
  EXPECT_EQ(api().UpdateBranch({.name = "own", .labels = Labels{{"a", "b"}}})->retention, policy);
  EXPECT_EQ(api().UpdateBranch({.name = "own", .retention = RetentionPolicy()})->retention, RetentionPolicy())
      << "it keeps all";
  EXPECT_EQ(api().ListBranches({})->at(0).retention, RetentionPolicy());
  EXPECT_EQ(api().UpdateBranch({.name = "own", .retention = std::optional<RetentionPolicy>()})->retention,
            std::nullopt);
  EXPECT_EQ(api().CreateBranch({.name = "plain", .state = root})->retention, std::nullopt);
}

TEST_P(Conformance, PolicyThatCannotBeIsInvalid) {
  const Version root = Make("live");
  for (const RetentionPolicy& policy : {RetentionPolicy{.keep_last = 0}, RetentionPolicy{.keep_every = -1},
                                        RetentionPolicy{.max_age = -absl::Seconds(1)}}) {
    ExpectError(api().CreateBranch({.name = "late", .state = root, .retention = policy}).status(),
                absl::StatusCode::kInvalidArgument);
    ExpectError(api().UpdateBranch({.name = "live", .retention = std::optional(policy)}).status(),
                absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(api().GetBranch("live")->retention, std::nullopt);
}

TEST_P(Conformance, RequestWithAnotherPolicyIsAnother) {
  Make("live");
  UpdateBranchRequest request{
      .name = "live", .retention = RetentionPolicy{.keep_last = 5}, .request_id = "retain"};
  EXPECT_TRUE(api().UpdateBranch(request).ok());
  EXPECT_TRUE(api().UpdateBranch(request).ok());
  (*request.retention)->keep_last = 6;
  ExpectError(api().UpdateBranch(request).status(), absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED");
}

TEST_P(Conformance, WhatNoRuleKeepsIsEvictedAndTheRestIsWhole) {
  const std::vector<Version> line = MakeLine("live", 9);
  ASSERT_TRUE(api().UpdateSnapshot({.version = line[2], .pinned = true}).ok());
  ASSERT_TRUE(api().UpdateSnapshot({.version = line[3], .labels = Labels{{"quality", "good"}}}).ok());
  ASSERT_TRUE(
      api()
          .UpdateBranch({.name = "live", .retention = RetentionPolicy{.keep_last = 2, .keep_every = 6}})
          .ok());
  for (const size_t dropped : {1, 4, 5, 7})
    ExpectError(WaitForDrop(api(), line[dropped]), absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
  EXPECT_THAT(AncestorsOfHead(api(), "live"),
              ElementsAre(line[9], line[8], line[6], line[3], line[2], line[0]));
  for (const size_t kept : {0, 2, 3, 6, 8, 9}) EXPECT_EQ(Count(line[kept]).value(), static_cast<int>(kept));
  ExpectError(Add(line[1], 1).status(), absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
  EXPECT_EQ(Count(Add(BranchName{"live"}, 1).value()).value(), 10);
  ExpectError(WaitForDrop(api(), line[8]), absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
}

TEST_P(Conformance, ForkKeepsWhatItsOwnPolicyKeeps) {
  const std::vector<Version> line = MakeLine("live", 6);
  ASSERT_TRUE(api().CreateBranch({.name = "fork", .state = line[4], .retention = RetentionPolicy()}).ok());
  ASSERT_TRUE(api().UpdateBranch({.name = "live", .retention = RetentionPolicy{.keep_last = 1}}).ok());
  ExpectError(WaitForDrop(api(), line[5]), absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
  EXPECT_THAT(AncestorsOfHead(api(), "fork"), ElementsAre(line[4], line[3], line[2], line[1], line[0]));
}

TEST_P(Conformance, ModelSaysWhatItsBranchesKeep) {
  std::ofstream(models() / "counter/model.textproto", std::ios::app) << "\nretention { keep_last: 2 }\n";
  ASSERT_TRUE(api().LoadModel("counter").ok());
  const std::vector<Version> line = MakeLine("live", 4);
  ExpectError(WaitForDrop(api(), line[1]), absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
  ExpectError(WaitForDrop(api(), line[2]), absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
  EXPECT_THAT(AncestorsOfHead(api(), "live"), ElementsAre(line[4], line[3], line[0]));
}

}  // namespace
}  // namespace stepwell::testing
