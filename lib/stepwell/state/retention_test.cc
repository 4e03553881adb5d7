#include "stepwell/state/retention.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/testing/forwarding_store.h"

namespace stepwell {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class HeldClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'000'000);
};

// Does what a test asks for right before snapshots are dropped, as if another call came in between.
class InterruptedStore final : public testing::ForwardingStore {
 public:
  void DropSnapshots(SnapshotDrop drop, Durability durability, Callback<int64_t> done) override {
    if (before_drop) std::exchange(before_drop, nullptr)();
    asked.push_back(drop.versions.size());
    ForwardingStore::DropSnapshots(std::move(drop), durability, std::move(done));
  }
  void ScanSnapshots(Version before, size_t limit,
                     Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) override {
    if (before_scan) std::exchange(before_scan, nullptr)();
    if (!scans.ok()) return std::move(done)(scans);
    ForwardingStore::ScanSnapshots(before, limit, std::move(done));
  }

  std::function<void()> before_drop, before_scan;
  absl::Status scans;
  std::vector<size_t> asked;  // Versions of each drop.
};

class RetentionTest : public ::testing::Test {
 protected:
  // One that has a parent is one step from it.
  Version Make(std::optional<Version> parent, const std::string& model = "counter") {
    auto stored = std::make_shared<StoredSnapshot>();
    SnapshotRecord& record = stored->record;
    record.version = Version(++last_version_);
    record.parent = parent;
    record.origin = std::make_shared<const SnapshotOrigin>(SnapshotOrigin{model, 1, "step"});
    record.create_time = clock_.now;
    record.step_count = parent.has_value() ? step_counts_.at(parent->value()) + 1 : 0;
    record.writers = {record.version};
    step_counts_[record.version.value()] = record.step_count;
    stored->written = {Array::Scalar<int64_t>(1)};
    CommitBatch batch;
    batch.snapshots.push_back(stored);
    Commit(std::move(batch));
    return record.version;
  }
  // Steps from `parent`, oldest first.
  std::vector<Version> MakeChain(std::optional<Version> parent, int count) {
    std::vector<Version> chain;
    for (int i = 0; i < count; ++i) chain.push_back(Make(i == 0 ? parent : chain.back()));
    return chain;
  }
  void MakeBranch(const std::string& name, Version head, std::optional<RetentionPolicy> policy = std::nullopt,
                  absl::Time expire_time = absl::InfiniteFuture()) {
    CommitBatch batch;
    batch.new_branches.push_back({.name = name,
                                  .model = "counter",
                                  .head = head,
                                  .create_time = clock_.now,
                                  .expire_time = expire_time,
                                  .retention = std::move(policy)});
    Commit(std::move(batch));
  }
  void Update(SnapshotUpdate update) {
    CommitBatch batch;
    batch.snapshot_updates.push_back(std::move(update));
    Commit(std::move(batch));
  }
  void Commit(CommitBatch batch) {
    store_.Commit(
        std::move(batch), Durability::kAsync,
        [](const absl::Status& visible) { ASSERT_TRUE(visible.ok()) << visible; }, [](absl::Status) {});
  }
  void Delete(Version version) {
    store_.DropSnapshots({.versions = {version}}, Durability::kAsync,
                         [](const absl::StatusOr<int64_t>& dropped) { ASSERT_TRUE(dropped.ok()); });
  }

  Retention NewRetention(const RetentionOptions& options = {.min_age = absl::ZeroDuration(),
                                                            .batch_size = 3}) {
    return Retention(options, &store_, &cache_, &clock_, [this] { return policies_; });
  }
  // A whole sweep.
  static void RunSweep(Retention& retention) {
    while (true) {
      const absl::StatusOr<absl::Duration> pause = retention.Work();
      ASSERT_TRUE(pause.ok()) << pause.status();
      if (*pause == RetentionOptions().pause) return;
    }
  }
  void RunSweep() {
    Retention retention = NewRetention();
    RunSweep(retention);
  }
  // Oldest first.
  std::vector<Version> Left() {
    std::vector<Version> versions;
    store_.ScanSnapshots(Version(last_version_ + 1), 100'000, [&versions](const auto& records) {
      for (const auto& record : *records) versions.push_back(record->version);
    });
    std::ranges::reverse(versions);
    return versions;
  }
  std::vector<std::string> Branches() {
    std::vector<std::string> names;
    store_.ScanBranches("", "", 1000, [&names](const auto& branches) {
      for (const BranchRecord& branch : *branches) names.push_back(branch.name);
    });
    return names;
  }

  HeldClock clock_;
  InterruptedStore store_;
  SnapshotCache cache_{&store_, 1000};
  Retention::Policies policies_ = {{"counter", {}}};
  int64_t last_version_ = 0;
  absl::flat_hash_map<int64_t, int64_t> step_counts_;
};

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

TEST_F(RetentionTest, PartsAreSmallAndPausesKeepTheRate) {
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
  EXPECT_THAT(store_.asked, Each(::testing::Le(50u)));
  EXPECT_GE(pauses, absl::Seconds(998) / 100);
}

TEST_F(RetentionTest, WhatWasNeededMeanwhileStaysAndTheRestGoes) {
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

TEST_F(RetentionTest, StepsOnABranchWhileItIsSweptAreKept) {
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

TEST_F(RetentionTest, SweepThatLostItsWayDropsNothingMoreAndTheNextDoes) {
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

TEST_F(RetentionTest, ErrorOfTheStoreIsToldAndTheNextSweepBeginsAnew) {
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
TEST_F(RetentionTest, RandomHistoriesKeepWhatTheirBranchesKeep) {
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
