// How sweeps go on: in parts, beside other calls, and over any history.
#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "stepwell/state/testing/retention_fixture.h"

namespace stepwell {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Le;
using ::testing::SizeIs;

class RetentionSweepsTest : public testing::RetentionTest {};

TEST_F(RetentionSweepsTest, PartsAreSmallAndPausesKeepTheRate) {
  MakeBranch("live", MakeChain(std::nullopt, 1000).back(), RetentionPolicy{.keep_last = 1});
  clock_.now += absl::Seconds(1);
  Retention retention =
      NewRetention({.min_age = absl::ZeroDuration(), .max_drops_per_second = 100, .batch_size = 50});
  absl::Duration pauses;
  while (true) {
    const absl::StatusOr<absl::Duration> pause = retention.Work();
    ASSERT_TRUE(pause.ok()) << pause.status();
    pauses += *pause;
    if (*pause == RetentionOptions().pause) break;
  }
  EXPECT_THAT(Left(), SizeIs(2));
  EXPECT_THAT(store_.asked, Each(Le(50u)));
  EXPECT_GE(pauses, absl::Seconds(998) / 100);
}

TEST_F(RetentionSweepsTest, WhatIsHeldStaysUntilASweepBeginsAfterItsRelease) {
  policies_["counter"] = {.max_age = absl::Seconds(1)};
  const std::vector<Version> before = MakeChain(std::nullopt, 2);
  Retention retention = NewRetention();
  retention.Hold(Version(last_version_ + 1));
  const std::vector<Version> chain = MakeChain(std::nullopt, 3);
  clock_.now += absl::Minutes(1);
  RunSweep(retention);
  EXPECT_THAT(Left(), ElementsAre(before[0], chain[0], chain[1], chain[2]));

  // A branch that comes with the release is not among those that a sweep under way knows of.
  ASSERT_TRUE(retention.Work().ok());
  MakeBranch("live", chain[2], RetentionPolicy{});
  retention.Release(chain[0]);
  RunSweep(retention);
  EXPECT_THAT(Left(), ElementsAre(before[0], chain[0], chain[1], chain[2]));

  RunSweep(retention);
  EXPECT_THAT(Left(), ElementsAre(before[0], chain[0], chain[1], chain[2])) << "the branch keeps them";
}

TEST_F(RetentionSweepsTest, HoldThatComesDuringASweepCountsForIt) {
  policies_["counter"] = {.max_age = absl::Seconds(1)};
  Retention retention = NewRetention();
  ASSERT_TRUE(retention.Work().ok());
  retention.Hold(Version(last_version_ + 1));
  const std::vector<Version> chain = MakeChain(std::nullopt, 3);
  retention.Release(chain[0]);
  clock_.now += absl::Minutes(1);
  RunSweep(retention);
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[1], chain[2]));
  RunSweep(retention);
  EXPECT_THAT(Left(), ElementsAre(chain[0])) << "a root";
}

TEST_F(RetentionSweepsTest, WhatWasNeededMeanwhileStaysAndTheRestGoes) {
  const std::vector<Version> chain = MakeChain(std::nullopt, 8);
  MakeBranch("live", chain.back(), RetentionPolicy{.keep_last = 1});
  clock_.now += absl::Seconds(1);
  store_.before_drop = [&] {
    Update({.version = chain[1], .pinned = true});
    Update({.version = chain[2], .labels = Labels{{"a", "b"}}});
    MakeBranch("late", chain[3]);
    Delete(chain[4]);
  };
  Retention retention = NewRetention({.min_age = absl::ZeroDuration()});
  RunSweep(retention);
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[1], chain[2], chain[3], chain[7]));
}

TEST_F(RetentionSweepsTest, StepsOnABranchWhileItIsSweptAreKept) {
  policies_["counter"] = {.keep_last = 2, .max_age = absl::ZeroDuration()};
  const std::vector<Version> chain = MakeChain(std::nullopt, 4);
  MakeBranch("live", chain.back());
  clock_.now += absl::Seconds(1);
  std::vector<Version> more;
  store_.before_scan = [&] {
    more = MakeChain(chain.back(), 3);
    CommitBatch move;
    move.branch_updates.push_back({.name = "live", .head = more.back()});
    Commit(std::move(move));
  };
  RunSweep();
  EXPECT_THAT(Left(), ElementsAre(chain[0], chain[2], chain[3], more[0], more[1], more[2]));
}

TEST_F(RetentionSweepsTest, SweepThatLostItsWayDropsNothingMoreAndTheNextDoes) {
  const std::vector<Version> old = MakeChain(std::nullopt, 5), young = MakeChain(old.back(), 5);
  MakeBranch("live", young.back(), RetentionPolicy{.keep_last = 7});
  MakeBranch("aside", old[2], RetentionPolicy{.keep_last = 3});
  clock_.now += absl::Seconds(1);
  Retention retention = NewRetention({.min_age = absl::ZeroDuration(), .batch_size = 100});
  // The head that the sweep was to begin at.
  store_.before_scan = [&] {
    CommitBatch move;
    move.branch_updates.push_back({.name = "live", .head = young[3]});
    Commit(std::move(move));
    Delete(young[4]);
  };
  RunSweep(retention);
  EXPECT_THAT(Left(), SizeIs(9));
  RunSweep(retention);
  EXPECT_THAT(Left(), SizeIs(9)) << "all of them are some branch's last";
  CommitBatch gone;
  gone.branch_deletions.push_back({.name = "aside"});
  Commit(std::move(gone));
  RunSweep(retention);
  EXPECT_THAT(Left(), ElementsAre(old[0], old[2], old[3], old[4], young[0], young[1], young[2], young[3]));
}

TEST_F(RetentionSweepsTest, ErrorOfTheStoreIsToldAndTheNextSweepBeginsAnew) {
  MakeBranch("live", MakeChain(std::nullopt, 5).back(), RetentionPolicy{.keep_last = 1});
  clock_.now += absl::Seconds(1);
  Retention retention = NewRetention();
  ASSERT_TRUE(retention.Work().ok());
  store_.scans = absl::DataLossError("broken");
  EXPECT_EQ(retention.Work().status(), absl::DataLossError("broken"));
  store_.scans = absl::OkStatus();
  RunSweep(retention);
  EXPECT_THAT(Left(), SizeIs(2));
}

// What is kept, told from each branch by itself.
TEST_F(RetentionSweepsTest, RandomHistoriesKeepWhatTheirBranchesKeep) {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same each time.
  const auto below = [&random](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  const auto policy = [&] {
    RetentionPolicy made;
    if (below(2) == 0) made.keep_last = 1 + below(6);
    if (below(3) == 0) made.keep_every = 2 + below(5);
    if (below(3) == 0) made.max_age = absl::Seconds(below(200));
    return made;
  };
  policies_["counter"] = {.keep_last = 2, .max_age = absl::Seconds(100)};
  std::set<Version> pinned;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 40; ++i) {
      const std::vector<Version> left = Left();
      clock_.now += absl::Seconds(1);
      if (left.empty() || below(20) == 0) {
        Make(std::nullopt);
      } else {  // Most often a step of a recent one.
        const Version made = Make(left[left.size() - 1 - below(std::min<size_t>(left.size(), 1 + below(9)))]);
        if (below(25) == 0) {
          Update({.version = made, .pinned = true});
          pinned.insert(made);
        }
      }
    }
    for (const std::string& name : Branches()) {
      if (below(3) != 0) continue;
      CommitBatch gone;
      gone.branch_deletions.push_back({.name = name});
      Commit(std::move(gone));
    }
    const std::vector<Version> left = Left();
    for (size_t i = below(6); i > 0; --i) {
      MakeBranch(absl::StrCat("b", round, "/", i), left[below(left.size())],
                 below(3) == 0 ? std::nullopt : std::make_optional(policy()));
    }
    clock_.now += absl::Seconds(1);

    std::set<Version> kept, on_branches;
    store_.ScanBranches("", "", 1000, [&](const auto& branches) {
      for (const BranchRecord& branch : *branches) {
        const RetentionPolicy rules = branch.retention.value_or(policies_["counter"]);
        store_.ScanAncestors(branch.head, 100'000, [&](const auto& records) {
          for (size_t i = 0; i < records->size(); ++i) {
            const SnapshotRecord& record = *(*records)[i];
            on_branches.insert(record.version);
            if (i == 0 || rules.keeps_all() || static_cast<int64_t>(i) < rules.keep_last.value_or(0) ||
                record.step_count % rules.keep_every.value_or(1 << 30) == 0 ||
                clock_.now - record.create_time < rules.max_age.value_or(absl::ZeroDuration())) {
              kept.insert(record.version);
            }
          }
        });
      }
    });
    store_.ScanSnapshots(Version(last_version_ + 1), 100'000, [&](const auto& records) {
      for (const auto& record : *records) {
        const bool is_young = clock_.now - record->create_time < absl::Seconds(100);
        if (!record->parent.has_value() || pinned.contains(record->version) ||
            (!on_branches.contains(record->version) && is_young)) {
          kept.insert(record->version);
        }
      }
    });
    RunSweep();
    ASSERT_EQ(Left(), std::vector<Version>(kept.begin(), kept.end())) << "round " << round;
  }
}

}  // namespace
}  // namespace stepwell
