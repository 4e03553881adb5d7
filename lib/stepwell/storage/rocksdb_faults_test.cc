#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rocksdb/write_batch.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/rocksdb_keys.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/faulty_file_system.h"
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using ::testing::Contains;
using ::testing::Pair;

class RocksDbFaults : public ::testing::Test {
 protected:
  ~RocksDbFaults() override { files_->ReleaseLogs(); }

  // A store on `files_`, which never syncs by itself in the time that a test takes.
  void Open(CommitterOptions committer = {.sync_interval = absl::Hours(1)}) {
    auto opened = RocksDbStore::Open({.path = directory_.path(), .committer = committer, .env = env_.get()});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    // When the first numbers are reserved, nothing is under way any more.
    next_ = Version(testing::Reserve(*store_).value().value() + 1);
  }

  // A commit of one root, whose array 0 is `bytes` long.
  CommitBatch Root(int64_t bytes = 4) {
    const Version version = testing::Reserve(*store_).value();
    EXPECT_EQ(version, next_);
    next_ = Version(next_.value() + 1);
    auto snapshot = std::make_shared<StoredSnapshot>();
    snapshot->record.version = version;
    snapshot->record.origin = std::make_shared<const SnapshotOrigin>();
    snapshot->record.writers = {version};
    snapshot->written.push_back(Array::Zeros(DType::kUInt8, Shape::Of({bytes})));
    CommitBatch batch;
    batch.snapshots.push_back(std::move(snapshot));
    return batch;
  }
  static Version VersionOf(const CommitBatch& batch) { return batch.snapshots[0]->record.version; }

  // Commits `batch` and gives it back.
  CommitBatch Committed(CommitBatch batch) {
    const absl::Status committed = testing::Commit(*store_, batch);
    EXPECT_TRUE(committed.ok()) << committed;
    return batch;
  }

  testing::TemporaryDirectory directory_;
  testing::TemporaryDirectory other_;
  std::shared_ptr<testing::FaultyFileSystem> files_ = std::make_shared<testing::FaultyFileSystem>();
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(files_);
  std::unique_ptr<RocksDbStore> store_;
  Version next_{0};
};

TEST_F(RocksDbFaults, SyncCommitsThatWaitTogetherShareOneSync) {
  Open();
  files_->HoldLogs();
  constexpr int kCommits = 20;
  absl::BlockingCounter durable(kCommits);
  const auto commit = [&] {
    const CommitBatch batch = Root();
    store_->Commit(
        batch, Durability::kSync, [](const absl::Status& visible) { EXPECT_TRUE(visible.ok()) << visible; },
        [&durable](const absl::Status& status) {
          EXPECT_TRUE(status.ok()) << status;
          durable.DecrementCount();
        });
    EXPECT_FALSE(store_->IsDurable(VersionOf(batch)));
    EXPECT_TRUE(testing::ReadSnapshot(*store_, VersionOf(batch)).ok()) << "visible before it is durable";
  };
  commit();
  files_->WaitUntilHeld();
  for (int i = 1; i < kCommits; ++i) commit();
  const int syncs = files_->log_syncs();
  files_->ReleaseLogs();
  durable.Wait();
  EXPECT_EQ(files_->log_syncs() - syncs, 2) << "one for the first, one for those that came meanwhile";
  for (int64_t version = next_.value() - kCommits; version < next_.value(); ++version) {
    EXPECT_TRUE(store_->IsDurable(Version(version)));
  }
}

TEST_F(RocksDbFaults, AsyncCommitIsAcknowledgedWhileTheDiskStandsStill) {
  Open();
  files_->HoldLogs();
  const CommitBatch batch = Root();
  EXPECT_TRUE(testing::Commit(*store_, batch).ok());
  files_->WaitUntilHeld();
  EXPECT_TRUE(testing::ReadSnapshot(*store_, VersionOf(batch)).ok());
  EXPECT_TRUE(testing::ReadArray(*store_, VersionOf(batch), 0).ok());
  EXPECT_EQ(testing::ScanSnapshots(*store_, next_, 9), std::vector{VersionOf(batch)});
  EXPECT_EQ(testing::ScanAncestors(*store_, VersionOf(batch), 9).value(), std::vector{VersionOf(batch)});
  files_->ReleaseLogs();
}

TEST_F(RocksDbFaults, AsyncCommitsAreSyncedWithoutBeingAsked) {
  Open({.sync_interval = absl::ZeroDuration()});
  const int syncs = files_->log_syncs();
  ASSERT_TRUE(testing::Commit(*store_, Root()).ok());
  files_->WaitForLogSyncs(syncs + 1);
}

TEST_F(RocksDbFaults, CommitsPastTheQueuesBoundAreRefusedAndNoneOfTheOthersIsLost) {
  Open({.max_queued_works = 3, .sync_interval = absl::Hours(1)});
  files_->HoldLogs();
  std::vector<Version> acknowledged;
  const auto commit = [&] {
    const CommitBatch batch = Root();
    const absl::Status status = testing::Commit(*store_, batch);
    if (status.ok()) acknowledged.push_back(VersionOf(batch));
    return status;
  };
  ASSERT_TRUE(commit().ok());
  files_->WaitUntilHeld();  // What is being written counts, too.
  ASSERT_TRUE(commit().ok());
  absl::Notification written;
  acknowledged.push_back(next_);
  store_->Commit(
      Root(), Durability::kSync, [](const absl::Status& visible) { EXPECT_TRUE(visible.ok()) << visible; },
      [&](const absl::Status& durable) {
        EXPECT_TRUE(durable.ok()) << durable;
        written.Notify();
      });
  const absl::Status refused = commit();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(refused).reason, "QUEUE_FULL");
  EXPECT_THAT(GetErrorInfo(refused).metadata, Contains(Pair("limit", "3")));
  EXPECT_FALSE(testing::ReadSnapshot(*store_, Version(next_.value() - 1)).ok()) << "nothing of it is there";
  files_->ReleaseLogs();
  written.WaitForNotification();
  EXPECT_TRUE(commit().ok()) << "there is room again";
  store_.reset();
  Open();
  EXPECT_EQ(acknowledged.size(), 4u);
  for (const Version version : acknowledged) EXPECT_TRUE(testing::ReadArray(*store_, version, 0).ok());
}

TEST_F(RocksDbFaults, CommitsPastTheBytesOfTheQueueAreRefusedUnlessItIsEmpty) {
  Open({.max_queued_bytes = 10000, .sync_interval = absl::Hours(1)});
  files_->HoldLogs();
  ASSERT_TRUE(testing::Commit(*store_, Root(20000)).ok()) << "too large to fit beside anything, but alone";
  files_->WaitUntilHeld();
  EXPECT_EQ(GetErrorInfo(testing::Commit(*store_, Root(1))).reason, "QUEUE_FULL");
  files_->ReleaseLogs();
}

TEST_F(RocksDbFaults, ArrayThatIsTooLargeForAValueIsRefused) {
  Open();
  CommitBatch batch = Root();
  auto snapshot = std::make_shared<StoredSnapshot>(*batch.snapshots[0]);
  // It is refused by its size, before anybody looks at bytes that are not there.
  const int64_t bytes = int64_t{4} << 30;
  const absl::Span<const std::byte> none(nullptr, static_cast<size_t>(bytes));
  snapshot->written[0] =
      Array::Unchecked(DType::kUInt8, Shape::Of({bytes}), Buffer::Adopt(std::shared_ptr<const void>(), none));
  batch.snapshots[0] = snapshot;
  const absl::Status refused = testing::Commit(*store_, batch);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(refused).reason, "ARRAY_TOO_LARGE");
}

TEST_F(RocksDbFaults, PowerLossTakesWhatWasNotSyncedAndNothingElse) {
  Open();
  const CommitBatch synced = Root(10000), unsynced = Root(10000);
  ASSERT_TRUE(testing::Commit(*store_, synced, Durability::kSync).ok());
  ASSERT_TRUE(testing::Commit(*store_, unsynced).ok());
  const std::string copy = other_.New();
  files_->CopySynced(directory_.path(), copy);
  const auto after = RocksDbStore::Open({.path = copy});
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_TRUE(testing::ReadArray(**after, VersionOf(synced), 0).ok());
  EXPECT_EQ(GetErrorInfo(testing::ReadSnapshot(**after, VersionOf(unsynced)).status()).reason,
            "SNAPSHOT_UNKNOWN");
  EXPECT_GT(testing::Reserve(**after).value(), VersionOf(unsynced));
}

// What the next process finds, nobody has synced.
TEST_F(RocksDbFaults, PowerLossAfterACrashOfTheProcessLeavesWhatASyncedCommitStandsOn) {
  Open();
  const CommitBatch unsynced = Root(10000);
  ASSERT_TRUE(testing::Commit(*store_, unsynced).ok());
  // Visible is not written. A commit that reads the database is, and so is what comes before it.
  ASSERT_TRUE(testing::Drop(*store_, {VersionOf(Committed(Root()))}).ok());
  const std::string after_crash = other_.New(), after_power_loss = other_.New();
  files_->CopyWritten(directory_.path(), after_crash);
  const auto second = RocksDbStore::Open({.path = after_crash, .env = env_.get()});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE((*second)->IsDurable(VersionOf(unsynced)));
  const Version child = testing::Reserve(**second).value();
  CommitBatch step;
  step.snapshots.push_back(testing::MakeSnapshot(child, VersionOf(unsynced), {0}, 1));
  ASSERT_TRUE(testing::Commit(**second, std::move(step), Durability::kSync).ok());
  files_->CopySynced(after_crash, after_power_loss);
  const auto third = RocksDbStore::Open({.path = after_power_loss});
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_TRUE(testing::ReadSnapshot(**third, child).ok());
  EXPECT_TRUE(testing::ReadArray(**third, VersionOf(unsynced), 0).ok());
}

// What is written, read and refused after `fail` was called.
class RocksDbFailure : public RocksDbFaults, public ::testing::WithParamInterface<bool> {
 protected:
  void Fail() { GetParam() ? files_->FailSyncs() : files_->FailWrites(); }
};

INSTANTIATE_TEST_SUITE_P(OfWritesAndSyncs, RocksDbFailure, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Syncs" : "Writes"; });

TEST_P(RocksDbFailure, MakesTheStoreReadOnlyUntilItIsOpenedAgain) {
  Open();
  const CommitBatch before = Root(), failed = Root();
  ASSERT_TRUE(testing::Commit(*store_, before, Durability::kSync).ok());
  Fail();
  absl::Notification visible;
  absl::Notification told;
  store_->Commit(
      failed, Durability::kSync,
      [&](const absl::Status& status) {
        EXPECT_TRUE(status.ok()) << status;
        visible.Notify();
      },
      [&](const absl::Status& status) {
        EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
        EXPECT_EQ(GetErrorInfo(status).reason, "STORE_WRITE_FAILED");
        told.Notify();
      });
  told.WaitForNotification();
  EXPECT_TRUE(visible.HasBeenNotified());
  EXPECT_FALSE(store_->IsDurable(VersionOf(failed)));

  for (const Durability durability : {Durability::kAsync, Durability::kSync}) {
    const absl::Status refused = testing::Commit(*store_, Root(), durability);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(GetErrorInfo(refused).reason, "STORE_READ_ONLY");
  }
  EXPECT_EQ(GetErrorInfo(testing::Drop(*store_, {VersionOf(before)}).status()).reason, "STORE_READ_ONLY");
  EXPECT_TRUE(testing::ReadSnapshot(*store_, VersionOf(before)).ok());
  EXPECT_TRUE(testing::ReadArray(*store_, VersionOf(before), 0).ok());
  EXPECT_TRUE(testing::ReadArray(*store_, VersionOf(failed), 0).ok()) << "visible is visible";
  const auto too_many = testing::Wait<VersionBlock>(
      [this](auto done) { store_->ReserveVersions(int64_t{1} << 30, std::move(done)); });
  EXPECT_EQ(GetErrorInfo(too_many.status()).reason, "STORE_READ_ONLY");
  EXPECT_EQ(GetErrorInfo(testing::RecordModelRevision(*store_, {"m", 1, "", {}})).reason, "STORE_READ_ONLY");

  const std::string copy = other_.New();
  files_->CopySynced(directory_.path(), copy);
  const auto after = RocksDbStore::Open({.path = copy});
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_TRUE(testing::ReadArray(**after, VersionOf(before), 0).ok());
  CommitBatch next;
  next.snapshots.push_back(
      testing::MakeSnapshot(testing::Reserve(**after).value(), VersionOf(before), {0}, 1));
  EXPECT_TRUE(testing::Commit(**after, std::move(next), Durability::kSync).ok());
}

// The system may have given up what it could not write: the sync after that has nothing to do, and succeeds.
TEST_F(RocksDbFaults, SyncThatFailedIsNotMadeGoodByOneThatSucceeds) {
  Open();
  const CommitBatch before = Root();
  ASSERT_TRUE(testing::Commit(*store_, before, Durability::kSync).ok());
  files_->FailSyncs();
  EXPECT_EQ(GetErrorInfo(testing::Commit(*store_, Root(), Durability::kSync)).reason, "STORE_WRITE_FAILED");
  const std::string copy = other_.New();
  files_->CopySynced(directory_.path(), copy);
  files_->Heal();
  EXPECT_EQ(GetErrorInfo(testing::Commit(*store_, Root(), Durability::kSync)).reason, "STORE_READ_ONLY");
  store_.reset();
  // What SYNCED says is no more than what the disk has.
  std::filesystem::copy_file(directory_.path() + "/SYNCED", copy + "/SYNCED",
                             std::filesystem::copy_options::overwrite_existing);
  const auto after = RocksDbStore::Open({.path = copy});
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_TRUE(testing::ReadArray(**after, VersionOf(before), 0).ok());
}

TEST_P(RocksDbFailure, LeavesWhatWasToBeDropped) {
  Open();
  const CommitBatch batch = Root();
  ASSERT_TRUE(testing::Commit(*store_, batch, Durability::kSync).ok());
  Fail();
  const auto dropped = testing::Wait<int64_t>([&](auto done) {
    store_->DropSnapshots({.versions = {VersionOf(batch)}}, Durability::kSync, std::move(done));
  });
  EXPECT_FALSE(dropped.ok());
  const auto read = testing::ReadSnapshot(*store_, VersionOf(batch));
  if (GetParam()) {
    EXPECT_EQ(GetErrorInfo(dropped.status()).reason, "STORE_WRITE_FAILED")
        << "dropped, but perhaps not for good";
    EXPECT_EQ(GetErrorInfo(read.status()).reason, "SNAPSHOT_EVICTED");
  } else {
    EXPECT_EQ(GetErrorInfo(dropped.status()).reason, "STORE_READ_ONLY");
    EXPECT_TRUE(read.ok()) << read.status();
  }
}

TEST_F(RocksDbFaults, ArrayWithAChangedByteIsDataLossAndTheRestIsWhole) {
  Open();
  const CommitBatch damaged = Root(100), whole = Root(100);
  ASSERT_TRUE(testing::Commit(*store_, damaged).ok());
  ASSERT_TRUE(testing::Commit(*store_, whole).ok());
  store_.reset();
  {
    const auto database = RocksDbDatabase::Open(directory_.path(), rocksdb::Env::Default());
    ASSERT_TRUE(database.ok()) << database.status();
    const std::string key = ArrayKey(VersionOf(damaged), 0);
    std::string value;
    rocksdb::ColumnFamilyHandle* const arrays = (*database)->family(Family::kArrays);
    ASSERT_TRUE((*database)->db().Get(rocksdb::ReadOptions(), arrays, key, &value).ok());
    value[value.size() - 40] ^= 1;
    rocksdb::WriteBatch batch;
    batch.Put(arrays, key, value);
    ASSERT_TRUE((*database)->Write(batch).ok());
  }
  Open();
  const auto array = testing::ReadArray(*store_, VersionOf(damaged), 0);
  EXPECT_EQ(array.status().code(), absl::StatusCode::kDataLoss);
  const ErrorInfo info = GetErrorInfo(array.status());
  EXPECT_EQ(info.reason, "ARRAY_DAMAGED");
  EXPECT_THAT(info.metadata, Contains(Pair("version", absl::StrCat(VersionOf(damaged).value()))));
  EXPECT_THAT(info.metadata, Contains(Pair("position", "0")));
  EXPECT_TRUE(testing::ReadSnapshot(*store_, VersionOf(damaged)).ok());
  EXPECT_TRUE(testing::ReadArray(*store_, VersionOf(whole), 0).ok());
  EXPECT_EQ(testing::Drop(*store_, {VersionOf(damaged)}).value(), 100) << "and it may go";
}

// On the disk itself: every blob file has a byte changed in the middle.
TEST_F(RocksDbFaults, BlobFileWithAChangedByteIsDataLossOfItsArraysAlone) {
  Open();
  const CommitBatch damaged = Root(100000), whole = Root(100);
  ASSERT_TRUE(testing::Commit(*store_, damaged).ok());
  ASSERT_TRUE(testing::Commit(*store_, whole).ok());
  store_.reset();
  {
    const auto database = RocksDbDatabase::Open(directory_.path(), rocksdb::Env::Default());
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE((*database)->db().Flush(rocksdb::FlushOptions(), (*database)->family(Family::kArrays)).ok());
  }
  int blobs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    if (entry.path().extension() != ".blob") continue;
    ++blobs;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(entry.path()) / 2));
    file.put('\x55');
  }
  EXPECT_EQ(blobs, 1);
  Open();
  EXPECT_EQ(GetErrorInfo(testing::ReadArray(*store_, VersionOf(damaged), 0).status()).reason,
            "ARRAY_DAMAGED");
  EXPECT_TRUE(testing::ReadArray(*store_, VersionOf(whole), 0).ok());
}

}  // namespace
}  // namespace stepwell
