// What a loss of power leaves of a chain of commits, wherever in the log it strikes.
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/faulty_file_system.h"
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

// Steps of a branch, of which some are synced.
class RocksDbPowerLoss : public ::testing::Test {
 protected:
  RocksDbPowerLoss() {
    auto opened = RocksDbStore::Open(
        {.path = directory_.path(), .committer = {.sync_interval = absl::Hours(1)}, .env = env_.get()});
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  void Step(Durability durability) {
    const Version version = testing::Reserve(*store_).value();
    CommitBatch batch;
    if (chain_.empty()) {
      batch.snapshots.push_back(testing::MakeSnapshot(version, std::nullopt, {0, 1}, 0));
      batch.new_branches.push_back(testing::MakeBranch("live", version));
    } else {
      batch.snapshots.push_back(
          testing::MakeSnapshot(version, chain_.back(), {0, 1}, static_cast<int32_t>(chain_.size())));
      batch.branch_updates.push_back(testing::MoveOf("live", chain_.back(), version));
    }
    const absl::Status committed = testing::Commit(*store_, std::move(batch), durability);
    ASSERT_TRUE(committed.ok()) << committed;
    chain_.push_back(version);
    if (durability == Durability::kSync) synced_ = chain_.size();
  }
  // Returns when all steps are written, synced or not: a drop looks at the database, and comes after them.
  // What waits together would be written as one.
  void Write() {
    CommitBatch batch;
    const Version other = testing::Reserve(*store_).value();
    batch.snapshots.push_back(testing::MakeSnapshot(other, std::nullopt, {0, 1}, 0));
    ASSERT_TRUE(testing::Commit(*store_, std::move(batch)).ok());
    ASSERT_TRUE(testing::Drop(*store_, {other}).ok());
  }

  // How many steps are there when of the log up to `unsynced_bytes` were written that nobody had synced.
  size_t StepsLeft(uint64_t unsynced_bytes) {
    const std::string copy = copies_.New();
    files_->CopySynced(directory_.path(), copy, unsynced_bytes);
    const auto after = RocksDbStore::Open({.path = copy});
    EXPECT_TRUE(after.ok()) << after.status();
    if (!after.ok()) return 0;
    size_t left = 0;
    for (size_t i = 0; i < chain_.size(); ++i) {
      const auto snapshot = testing::ReadSnapshot(**after, chain_[i]);
      if (!snapshot.ok()) {
        EXPECT_EQ(GetErrorInfo(snapshot.status()).reason, "SNAPSHOT_UNKNOWN");
        continue;
      }
      EXPECT_EQ(left++, i) << "a hole";
      for (int position = 0; position < 2; ++position) {
        const auto array = testing::ReadArray(**after, chain_[i], position);
        EXPECT_TRUE(array.ok()) << array.status();
        if (array.ok()) {
          EXPECT_TRUE(*array == Array::Scalar(static_cast<int32_t>(i) + position));
        }
      }
    }
    const auto branch = testing::ReadBranch(**after, "live");
    EXPECT_EQ(branch.ok(), left > 0) << branch.status();
    if (branch.ok() && left > 0) {
      EXPECT_EQ(branch->head, chain_[left - 1]);
    }
    EXPECT_GT(testing::Reserve(**after).value(), chain_.back());
    return left;
  }

  testing::TemporaryDirectory directory_;
  testing::TemporaryDirectory copies_;
  std::shared_ptr<testing::FaultyFileSystem> files_ = std::make_shared<testing::FaultyFileSystem>();
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(files_);
  std::unique_ptr<RocksDbStore> store_;
  std::vector<Version> chain_;
  size_t synced_ = 0;  // How many of the chain are owed.
};

TEST_F(RocksDbPowerLoss, LeavesEverySyncedStepAndThoseBeforeItAtAnyMoment) {
  for (int i = 0; i < 12; ++i) {
    Step(i % 5 == 3 ? Durability::kSync : Durability::kAsync);
    EXPECT_GE(StepsLeft(0), synced_) << "after step " << i;
  }
}

TEST_F(RocksDbPowerLoss, TornLogLeavesTheFirstOfTheUnsyncedSteps) {
  Step(Durability::kAsync);
  Step(Durability::kSync);
  for (int i = 0; i < 4; ++i) {
    Step(Durability::kAsync);
    Write();
  }
  constexpr uint64_t kStride = 101;  // Less than the log takes for a step.
  size_t left = StepsLeft(0);
  EXPECT_EQ(left, synced_);
  for (uint64_t bytes = kStride; left < chain_.size(); bytes += kStride) {
    const size_t now = StepsLeft(bytes);
    EXPECT_GE(now, left);
    EXPECT_LE(now, left + 1);
    left = now;
    ASSERT_LT(bytes, 64 << 10) << "all is written, and never found";
  }
}

}  // namespace
}  // namespace stepwell
