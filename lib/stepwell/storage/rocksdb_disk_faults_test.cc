// A disk that fails while a store is in use: who gets what, and that all that was acknowledged is there when
// the fault is gone, be it after a restart or after the power was cut as well.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/fault_report.h"
#include "stepwell/storage/testing/faulty_file_system.h"
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using testing::FaultReport;
using testing::FaultyFileSystem;
using ::testing::HasSubstr;

struct DiskFault {
  const char* name;
  const char* title;
  void (FaultyFileSystem::*begin)();
  const char* says;  // In the errors that come of it.
  bool of_reads = false;
};

void PrintTo(const DiskFault& fault, std::ostream* out) { *out << fault.name; }

class RocksDbDiskFaults : public ::testing::TestWithParam<DiskFault> {
 protected:
  // More than this is written to tables in the background.
  static constexpr int64_t kArrayBytes = int64_t{1} << 20;
  static constexpr int kMaxCommits = 200;

  void Open(const std::string& path, rocksdb::Env* env) {
    store_.reset();
    auto opened = RocksDbStore::Open({.path = path, .env = env});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  // A root whose array is its own number all over.
  static Array ArrayOf(Version version) {
    const std::vector<int64_t> numbers(kArrayBytes / 8, version.value());
    return Array::From<int64_t>({kArrayBytes / 8}, numbers).value();
  }
  absl::Status CommitRoot(Durability durability) {
    const absl::StatusOr<Version> version = testing::Reserve(*store_);
    if (!version.ok()) return version.status();
    auto snapshot = std::make_shared<StoredSnapshot>();
    snapshot->record.version = *version;
    snapshot->record.origin = std::make_shared<const SnapshotOrigin>();
    snapshot->record.writers = {*version};
    snapshot->written.push_back(ArrayOf(*version));
    CommitBatch batch;
    batch.snapshots.push_back(std::move(snapshot));
    const absl::Status committed = testing::Commit(*store_, std::move(batch), durability);
    if (committed.ok() && durability == Durability::kSync) acknowledged_.push_back(*version);
    return committed;
  }
  absl::Status Read(Version version) {
    const auto array = testing::ReadArray(*store_, version, 0);
    if (!array.ok()) return array.status();
    return *array == ArrayOf(version) ? absl::OkStatus() : absl::UnknownError("a wrong answer");
  }
  static void Tell(FaultReport& report, absl::string_view what, const absl::Status& status) {
    report.Got(what, status, GetErrorInfo(status).reason);
  }
  void LookForAll(FaultReport& report) {
    for (const Version version : acknowledged_) {
      const absl::Status read = Read(version);
      EXPECT_TRUE(read.ok()) << read;
      report.Found(read.ok());
    }
  }

  testing::TemporaryDirectory directory_;
  testing::TemporaryDirectory other_;
  std::shared_ptr<FaultyFileSystem> files_ = std::make_shared<FaultyFileSystem>();
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(files_);
  std::unique_ptr<RocksDbStore> store_;
  std::vector<Version> acknowledged_;
};

INSTANTIATE_TEST_SUITE_P(
    Of, RocksDbDiskFaults,
    ::testing::Values(
        DiskFault{"Writes", "a write fails (EIO)", &FaultyFileSystem::FailWrites, "takes no writes"},
        DiskFault{"Syncs", "a sync fails", &FaultyFileSystem::FailSyncs, "does not sync"},
        DiskFault{"Space", "no space for a commit", &FaultyFileSystem::FillUp, "No space left"},
        DiskFault{"SpaceForTables", "no space while tables are written in the background",
                  &FaultyFileSystem::FillUpTables, "No space left"},
        DiskFault{"NewFiles", "no new file can be made", &FaultyFileSystem::FailNewFiles, "no new files"},
        DiskFault{"Reads", "a read fails (EIO)", &FaultyFileSystem::FailReads, "gives nothing",
                  /*of_reads=*/true}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_P(RocksDbDiskFaults, LoseNothingThatWasAcknowledged) {
  FaultReport report(GetParam().title);
  Open(directory_.path(), env_.get());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(CommitRoot(Durability::kSync).ok());
  Open(directory_.path(), env_.get());          // What the log had is in tables, and not in memory.
  ASSERT_TRUE(testing::Reserve(*store_).ok());  // What a start reserves is reserved.
  const std::vector<Version> before = acknowledged_;

  (files_.get()->*GetParam().begin)();
  absl::Status failed;
  for (int i = 0; failed.ok() && i < (GetParam().of_reads ? 3 : kMaxCommits); ++i) {
    failed = CommitRoot(Durability::kSync);
    Tell(report, "sync commits", failed);
  }
  const absl::Status next = CommitRoot(Durability::kAsync);
  Tell(report, "commits after that", next);
  for (const Version version : before) {
    const absl::Status read = Read(version);
    Tell(report, "reads", read);
    if (!GetParam().of_reads) {
      EXPECT_TRUE(read.ok()) << read;
      continue;
    }
    EXPECT_EQ(GetErrorInfo(read).reason, "STORE_READ_FAILED") << read;
    EXPECT_THAT(std::string(read.message()), HasSubstr(GetParam().says));
  }
  if (GetParam().of_reads) {
    EXPECT_TRUE(failed.ok() && next.ok()) << "what needs nothing from the disk goes on: " << failed << next;
    files_->Heal();
    LookForAll(report);  // Without a restart.
  } else {
    EXPECT_EQ(failed.code(), absl::StatusCode::kInternal);
    EXPECT_EQ(GetErrorInfo(failed).reason, "STORE_WRITE_FAILED");
    EXPECT_THAT(std::string(failed.message()), HasSubstr(GetParam().says));
    EXPECT_EQ(next.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(GetErrorInfo(next).reason, "STORE_READ_ONLY");
    EXPECT_THAT(std::string(next.message()), HasSubstr(GetParam().says));
    files_->Heal();
    EXPECT_EQ(GetErrorInfo(CommitRoot(Durability::kSync)).reason, "STORE_READ_ONLY") << "until a restart";
  }

  const std::string after_power_cut = other_.New();
  files_->CopySynced(directory_.path(), after_power_cut);
  for (const std::string& path : {directory_.path(), after_power_cut}) {
    Open(path, nullptr);
    LookForAll(report);
    EXPECT_TRUE(CommitRoot(Durability::kAsync).ok());
  }
}

// A line that does not fit on a full disk would make the next one end the process.
TEST(RocksDbOwnLog, IsNotWritten) {
  const testing::TemporaryDirectory directory;
  ASSERT_TRUE(RocksDbStore::Open({.path = directory.path()}).ok());
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/LOG"));
}

}  // namespace
}  // namespace stepwell
