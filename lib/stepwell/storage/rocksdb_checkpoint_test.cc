#include "stepwell/storage/rocksdb_checkpoint.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/rocksdb_log_files.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/faulty_file_system.h"
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

using testing::Commit;
using ::testing::ElementsAre;
using testing::kTime;
using testing::MakeBranch;
using testing::MakeSnapshot;
using testing::MoveOf;
using testing::ReadArray;
using testing::ReadBranch;
using testing::ReadSnapshot;
using testing::Reserve;

class RocksDbCheckpoint : public ::testing::Test {
 protected:
  RocksDbCheckpoint() {
    store_ = Open(directory_.path(), env_.get());
    EXPECT_TRUE(Reserve(*store_).ok());  // From then on, no number waits for the disk.
  }
  ~RocksDbCheckpoint() override { files_->ReleaseLogs(); }

  static std::unique_ptr<RocksDbStore> Open(const std::string& path, rocksdb::Env* env = nullptr) {
    auto opened = RocksDbStore::Open({.path = path, .env = env});
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }

  // A snapshot whose first array has `bytes`, as the head of the new branch "live".
  Version Make(int64_t bytes) {
    const Version version = Reserve(*store_).value();
    auto snapshot = std::make_shared<StoredSnapshot>();
    snapshot->record.version = version;
    snapshot->record.origin = std::make_shared<const SnapshotOrigin>(SnapshotOrigin{"counter", 1, ""});
    snapshot->record.create_time = kTime;
    snapshot->record.writers = {version, version};
    snapshot->written = {Array::Zeros(DType::kUInt8, Shape::Of({bytes})), Array::Scalar<int32_t>(7)};
    CommitBatch batch;
    batch.snapshots.push_back(std::move(snapshot));
    batch.new_branches.push_back(MakeBranch("live", version));
    batch.requests.push_back({.id = "made", .digest = "d", .time = kTime, .versions = {version}});
    const absl::Status made = Commit(*store_, std::move(batch));
    EXPECT_TRUE(made.ok()) << made;
    return version;
  }

  absl::StatusOr<int64_t> Copy(const std::string& path) {
    return testing::Wait<int64_t>([&](auto done) { store_->Checkpoint(path, std::move(done)); });
  }

  std::vector<std::string> FilesOf(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
    return names;
  }

  testing::TemporaryDirectory directory_;
  testing::TemporaryDirectory copies_;
  std::shared_ptr<testing::FaultyFileSystem> files_ = std::make_shared<testing::FaultyFileSystem>();
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(files_);
  std::unique_ptr<RocksDbStore> store_;
};

TEST_F(RocksDbCheckpoint, CopyIsAStoreOfItsOwn) {
  const Version root = Make(100'000);
  const std::string path = copies_.New();
  const auto bytes = Copy(path);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_GT(*bytes, 100'000);
  EXPECT_THAT(FilesOf(copies_.path()), ElementsAre(fs::path(path).filename().string()));

  // While the original is open, and goes on.
  const Version next = Reserve(*store_).value();
  CommitBatch step;
  step.snapshots.push_back(MakeSnapshot(next, root, {1}, 10));
  step.branch_updates.push_back(MoveOf("live", root, next));
  ASSERT_TRUE(Commit(*store_, std::move(step)).ok());

  const auto copy = Open(path);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(ReadBranch(*copy, "live")->head, root);
  EXPECT_EQ(ReadArray(*copy, root, 0)->byte_count(), 100'000);
  EXPECT_EQ(*ReadArray(*copy, root, 1), Array::Scalar<int32_t>(7));
  EXPECT_TRUE(copy->IsDurable(root));
  EXPECT_EQ((*testing::ReadRequest(*copy, "made", kTime))->versions, std::vector{root});
  EXPECT_FALSE(ReadSnapshot(*copy, next).ok());
  const Version own = Reserve(*copy).value();
  CommitBatch other;
  other.snapshots.push_back(MakeSnapshot(own, root, {1}, 20));
  other.branch_updates.push_back(MoveOf("live", root, own));
  ASSERT_TRUE(Commit(*copy, std::move(other)).ok());
  EXPECT_EQ(ReadBranch(*store_, "live")->head, next);
  EXPECT_EQ(ReadBranch(*copy, "live")->head, own);
}

TEST_F(RocksDbCheckpoint, CopyKnowsThatItIsSynced) {
  Make(10);
  const std::string path = copies_.New();
  ASSERT_TRUE(Copy(path).ok());
  const auto inspection = InspectLogs(path, rocksdb::Env::Default());
  ASSERT_TRUE(inspection.ok()) << inspection.status();
  EXPECT_TRUE(inspection->knows_synced);
  EXPECT_TRUE(inspection->damages.empty());
  EXPECT_TRUE(inspection->torn.empty());
}

TEST_F(RocksDbCheckpoint, CopyHasTheFoldersBesideTheDatabaseAndNotItself) {
  const fs::path folder = fs::path(directory_.path()) / "packages/abc";
  fs::create_directories(folder / "inner");
  fs::create_directory(folder.parent_path() / ".unfinished");
  std::ofstream(folder / "inner/file") << "content";
  for (const bool linked : {true, false}) {
    if (!linked) files_->RefuseLinks();
    const fs::path path = fs::path(directory_.path()) / "backups" / (linked ? "linked" : "copied");
    const auto bytes = Copy(path.string());
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    std::string content;
    std::ifstream(path / "packages/abc/inner/file") >> content;
    EXPECT_EQ(content, "content");
    EXPECT_FALSE(fs::exists(path / "packages/.unfinished"));
    EXPECT_FALSE(fs::exists(path / "backups"));
    EXPECT_NE(Open(path.string()), nullptr);
  }
}

TEST_F(RocksDbCheckpoint, CopyHasWhatWasVisibleAndNotWrittenYet) {
  files_->HoldLogs();
  const Version root = Make(10);
  files_->WaitUntilHeld();
  absl::Notification copied;
  const std::string path = copies_.New();
  store_->Checkpoint(path, [&](const absl::StatusOr<int64_t>& bytes) {
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    copied.Notify();
  });
  files_->ReleaseLogs();
  copied.WaitForNotification();
  const auto copy = Open(path);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(ReadBranch(*copy, "live")->head, root);
}

TEST_F(RocksDbCheckpoint, CopiesOfABusyStoreAreOfOneMoment) {
  const Version root = Make(10);
  std::atomic<bool> stop = false;
  std::thread stepper([&] {
    Version head = root;
    while (!stop) {
      const Version next = Reserve(*store_).value();
      CommitBatch step;
      step.snapshots.push_back(MakeSnapshot(next, head, {1}, 0));
      step.branch_updates.push_back(MoveOf("live", head, next));
      const absl::Status stepped = Commit(*store_, std::move(step));
      if (stepped.ok()) {
        head = next;
      } else {
        EXPECT_EQ(stepped.code(), absl::StatusCode::kResourceExhausted) << stepped;
      }
    }
  });
  for (int i = 0; i < 3; ++i) {
    const Version before = ReadBranch(*store_, "live")->head;
    const std::string path = copies_.New();
    const auto bytes = Copy(path);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    const auto copy = Open(path);
    if (copy == nullptr) break;
    const Version head = ReadBranch(*copy, "live")->head;
    EXPECT_GE(head, before);
    const auto ancestors = testing::ScanAncestors(*copy, head, 1'000'000);
    ASSERT_TRUE(ancestors.ok()) << ancestors.status();
    EXPECT_EQ(ancestors->back(), root) << "every step up to the head is there";
    EXPECT_TRUE(ReadArray(*copy, head, 1).ok() || head == root);
    const std::vector<Version> newest = testing::ScanSnapshots(*copy, Version(int64_t{1} << 60), 1);
    EXPECT_THAT(newest, ElementsAre(head)) << "and none beyond it";
  }
  stop = true;
  stepper.join();
}

TEST_F(RocksDbCheckpoint, WhatIsThereIsRefusedAndLeftAlone) {
  Make(10);
  const std::string path = copies_.New();
  fs::create_directories(path);
  const absl::Status refused = Copy(path).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(GetErrorInfo(refused).reason, "BACKUP_EXISTS");
  EXPECT_THAT(FilesOf(path), ElementsAre());
}

TEST_F(RocksDbCheckpoint, CopyToAnotherFileSystemIsWhole) {
  const Version root = Make(100'000);
  files_->RefuseLinks();
  const std::string path = copies_.New();
  const auto bytes = Copy(path);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  store_.reset();
  fs::remove_all(directory_.path());
  const auto copy = Open(path);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(ReadArray(*copy, root, 0)->byte_count(), 100'000);
}

TEST_F(RocksDbCheckpoint, CopyThatCannotBeWrittenLeavesNothing) {
  Make(10);
  const std::string path = copies_.New();
  files_->FailNewFiles();
  const absl::Status failed = Copy(path).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kInternal) << failed;
  EXPECT_EQ(GetErrorInfo(failed).reason, "BACKUP_FAILED");
  EXPECT_THAT(FilesOf(copies_.path()), ElementsAre());
}

TEST_F(RocksDbCheckpoint, LeftoversOfACrashAreNoCopyAndGoWithTheNext) {
  Make(10);
  const fs::path path = copies_.New();
  const fs::path partial = path.parent_path() / ("." + path.filename().string() + ".partial");
  fs::create_directories(partial);
  std::ofstream(partial / "000004.log") << "half";
  EXPECT_FALSE(RocksDbStore::Open({.path = partial.string()}).ok()) << "it has no mark";
  const auto bytes = Copy(path.string());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_THAT(FilesOf(copies_.path()), ElementsAre(path.filename().string()));
}

TEST_F(RocksDbCheckpoint, StoreThatWritesNoMoreIsNotCopied) {
  Make(10);
  files_->FailWrites();
  CommitBatch batch;
  batch.new_branches.push_back(MakeBranch("other", ReadBranch(*store_, "live")->head));
  ASSERT_FALSE(Commit(*store_, std::move(batch), Durability::kSync).ok());
  const absl::Status refused = Copy(copies_.New()).status();
  EXPECT_EQ(GetErrorInfo(refused).reason, "STORE_READ_ONLY") << refused;
}

}  // namespace
}  // namespace stepwell
