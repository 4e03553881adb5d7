// What is kept.
#include "stepwell/state/retention.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "stepwell/base/error_info.h"
#include "stepwell/state/testing/retention_fixture.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::RetentionTest;
using ::testing::SizeIs;

TEST_F(RetentionTest, WithoutPolicyEverythingStays) {
  MakeBranch("live", MakeChain(std::nullopt, 10).back());
  clock_.now += absl::Hours(1000);
  RunSweep();
  EXPECT_THAT(Left(), SizeIs(10));
  EXPECT_THAT(store_.asked, IsEmpty());
}

TEST_F(RetentionTest, LastOfABranchAndItsRootStay) {
  const std::vector<Version> chain = MakeChain(std::nullopt, 10);
  MakeBranch("live", chain.back(), RetentionPolicy{.keep_last = 3});
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[7], chain[8], chain[9]));
}

TEST_F(RetentionTest, DroppedSnapshotIsEvictedAlsoFromTheCache) {
  const std::vector<Version> chain = MakeChain(std::nullopt, 3);
  MakeBranch("live", chain.back(), RetentionPolicy{.keep_last = 1});
  cache_.Get(chain[1], [](const auto& snapshot) { ASSERT_TRUE(snapshot.ok()); });
  ASSERT_NE(cache_.Peek(chain[1]), nullptr);
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_EQ(cache_.Peek(chain[1]), nullptr);
  store_.ReadSnapshot(chain[1], [](const auto& record) {
    EXPECT_EQ(GetErrorInfo(record.status()).reason, "SNAPSHOT_EVICTED");
  });
}

TEST_F(RetentionTest, EveryKthByItsStepsStays) {
  const std::vector<Version> chain = MakeChain(std::nullopt, 11);  // Steps 0 to 10.
  MakeBranch("live", chain.back(), RetentionPolicy{.keep_every = 4});
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[4], chain[8], chain[10]));
}

TEST_F(RetentionTest, WhatIsYoungerStays) {
  std::vector<Version> chain = MakeChain(std::nullopt, 3);
  clock_.now += absl::Minutes(1);
  chain.push_back(Make(chain.back()));
  chain.push_back(Make(chain.back()));
  MakeBranch("live", chain.back(), RetentionPolicy{.max_age = absl::Minutes(1)});
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[3], chain[4]));
  clock_.now += absl::Minutes(1);
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[4])) << "the root and the head";
}

TEST_F(RetentionTest, WhatAnyRuleKeepsStays) {
  std::vector<Version> chain = MakeChain(std::nullopt, 8);
  clock_.now += absl::Minutes(1);
  for (int i = 0; i < 4; ++i) chain.push_back(Make(chain.back()));
  MakeBranch("live", chain.back(),
             RetentionPolicy{.keep_last = 2, .keep_every = 5, .max_age = absl::Seconds(30)});
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[5], chain[8], chain[9], chain[10], chain[11]));
}

TEST_F(RetentionTest, PinnedAndLabelledSnapshotsStay) {
  const std::vector<Version> chain = MakeChain(std::nullopt, 6);
  MakeBranch("live", chain.back(), RetentionPolicy{.keep_last = 1});
  Update({.version = chain[1], .pinned = true});
  Update({.version = chain[2], .labels = Labels{{"quality", "good"}}});
  Update({.version = chain[3], .labels = Labels{{"stepwell.stream", "7/3"}}});
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[1], chain[2], chain[5]));
}

TEST_F(RetentionTest, PolicyOfABranchComesBeforeThatOfItsModel) {
  policies_["counter"] = {.keep_last = 2};
  const std::vector<Version> plain = MakeChain(std::nullopt, 5), own = MakeChain(std::nullopt, 5),
                             all = MakeChain(std::nullopt, 5);
  MakeBranch("plain", plain.back());
  MakeBranch("own", own.back(), RetentionPolicy{.keep_last = 1});
  MakeBranch("all", all.back(), RetentionPolicy());
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(plain[0], plain[3], plain[4], own[0], own[4], all[0], all[1], all[2],
                                  all[3], all[4]));
}

TEST_F(RetentionTest, WhatAnyBranchKeepsStays) {
  const std::vector<Version> trunk = MakeChain(std::nullopt, 8);
  const std::vector<Version> left = MakeChain(trunk.back(), 2), right = MakeChain(trunk.back(), 2);
  MakeBranch("left", left.back(), RetentionPolicy{.keep_last = 4});
  MakeBranch("right", right.back(), RetentionPolicy{.keep_last = 1});
  MakeBranch("trunk", trunk[4], RetentionPolicy{.keep_last = 2});
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Left(),
              ElementsAre(trunk[0], trunk[3], trunk[4], trunk[6], trunk[7], left[0], left[1], right[1]));
}

TEST_F(RetentionTest, OffBranchesAgeAloneTells) {
  policies_["counter"] = {.keep_last = 1, .max_age = absl::Minutes(1)};
  const std::vector<Version> chain = MakeChain(std::nullopt, 4);
  MakeBranch("live", chain[1]);
  clock_.now += absl::Minutes(1);
  const std::vector<Version> young = MakeChain(chain[1], 2);
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[1], young[0], young[1]));

  policies_["counter"] = {.keep_last = 1};
  clock_.now += absl::Hours(1);
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[1], young[0], young[1]))
      << "nothing is said of what is on no branch";
}

TEST_F(RetentionTest, ModelWithoutPolicyKeepsAllButWhatABranchSays) {
  policies_ = {{"other", {.keep_last = 1, .max_age = absl::ZeroDuration()}}};
  const std::vector<Version> chain = MakeChain(std::nullopt, 4), forks = MakeChain(chain[1], 2);
  MakeBranch("live", chain.back());
  const std::vector<Version> own = MakeChain(std::nullopt, 4);
  MakeBranch("own", own.back(), RetentionPolicy{.keep_last = 1});
  clock_.now += absl::Hours(1);
  RunSweep();
  EXPECT_THAT(Left(),
              ElementsAre(chain[0], chain[1], chain[2], chain[3], forks[0], forks[1], own[0], own[3]));
}

TEST_F(RetentionTest, SweepsGoOnOverGapsThatEarlierOnesLeft) {
  std::vector<Version> chain = MakeChain(std::nullopt, 30);
  const RetentionPolicy policy{.keep_last = 4, .keep_every = 10};
  MakeBranch("live", chain.back(), policy);
  // Shares all that is before, and keeps more of it.
  MakeBranch("often", chain[25], RetentionPolicy{.keep_every = 5});
  clock_.now += absl::Seconds(1);
  RunSweep();
  const std::vector<Version> left = {chain[0],  chain[5],  chain[10], chain[15], chain[20],
                                     chain[25], chain[26], chain[27], chain[28], chain[29]};
  EXPECT_EQ(Left(), left);
  RunSweep();
  EXPECT_EQ(Left(), left);

  CommitBatch gone;
  gone.branch_deletions.push_back({.name = "often"});
  Commit(std::move(gone));
  RunSweep();
  EXPECT_THAT(Left(),
              ElementsAre(chain[0], chain[10], chain[20], chain[26], chain[27], chain[28], chain[29]));
}

TEST_F(RetentionTest, ExpiredBranchIsDeletedAndKeepsNothing) {
  policies_["counter"] = {.keep_last = 5, .max_age = absl::ZeroDuration()};
  const std::vector<Version> chain = MakeChain(std::nullopt, 3);
  MakeBranch("live", chain[0]);
  MakeBranch("brief", chain[2], std::nullopt, clock_.now + absl::Seconds(2));
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Branches(), ElementsAre("brief", "live"));
  EXPECT_EQ(Left(), chain);
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Branches(), ElementsAre("live"));
  EXPECT_THAT(Left(), ElementsAre(chain[0]));
}

TEST_F(RetentionTest, ExpiredBranchIsDeletedAlsoWhereNothingIsToBeDropped) {
  MakeBranch("brief", Make(std::nullopt), std::nullopt, clock_.now + absl::Seconds(1));
  clock_.now += absl::Seconds(1);
  RunSweep();
  EXPECT_THAT(Branches(), IsEmpty());
}

TEST_F(RetentionTest, NothingYoungerThanTheLeastAgeIsDropped) {
  const std::vector<Version> chain = MakeChain(std::nullopt, 5);
  MakeBranch("live", chain.back(), RetentionPolicy{.keep_last = 1});
  Retention retention = NewRetention({.min_age = absl::Minutes(1)});
  clock_.now += absl::Seconds(59);
  RunSweep(retention);
  EXPECT_EQ(Left(), chain);
  clock_.now += absl::Seconds(1);
  RunSweep(retention);
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[4]));
}

}  // namespace
}  // namespace stepwell
