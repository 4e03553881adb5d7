#include "stepwell/storage/rocksdb_log_files.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/storage/rocksdb_checksum.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/rocksdb_synced_mark.h"
#include "stepwell/storage/testing/fault_report.h"
#include "stepwell/storage/testing/full_store.h"
#include "stepwell/storage/testing/memory_env.h"
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(Crc32c, IsThatOfCastagnoli) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

// A store that was closed, whose log is damaged before it is opened again.
class RocksDbLogFiles : public ::testing::Test {
 protected:
  RocksDbLogFiles() {
    EXPECT_TRUE(memory_.CreateDirIfMissing(path_).ok());
    testing::MakeFullStore(path_, &memory_);
    files_ = testing::ReadFiles(path_, &memory_);
    for (const auto& [name, bytes] : files_) {
      if (absl::EndsWith(name, ".log")) log_ = name;
    }
    answers_ = testing::ReadEverything(*OpenWith(files_).value());
  }

  absl::StatusOr<std::unique_ptr<RocksDbStore>> OpenWith(const testing::FileBytes& files) {
    copy_ = std::make_unique<testing::MemoryEnv>();
    testing::WriteFiles(files, path_, copy_.get());
    return RocksDbStore::Open({.path = path_, .env = copy_.get()});
  }
  // The files, with another log.
  testing::FileBytes WithLog(const std::string& log) const {
    testing::FileBytes files = files_;
    files[log_] = log;
    return files;
  }
  const std::string& Log() const { return files_.at(log_); }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.path();
  testing::MemoryEnv memory_;
  std::unique_ptr<testing::MemoryEnv> copy_;
  testing::FileBytes files_;
  std::string log_;
  testing::Answers answers_;
};

TEST_F(RocksDbLogFiles, WholeLogIsReadToItsEnd) {
  LogTail tail;
  ASSERT_TRUE(MeasureLog(absl::StrCat(path_, "/", log_), &memory_, tail).ok());
  EXPECT_EQ(tail.size, Log().size());
  EXPECT_EQ(tail.readable, tail.size);
  const auto synced = SyncedMark::Read(path_, &memory_);
  ASSERT_TRUE(synced.ok() && synced->has_value());
  EXPECT_EQ((*synced)->log_bytes, tail.size);
}

// What a power cut leaves of a write that nobody was told of.
TEST_F(RocksDbLogFiles, WhatIsBehindTheSyncedPartOfALogIsCutOffWhereItIsTorn) {
  testing::FaultReport report("a log's tail is torn behind what was synced");
  for (const std::string& torn : {std::string("x"), std::string(100, '\0'), std::string(50000, '\0'),
                                  std::string(50000, '\x01'), Log().substr(0, 40), Log().substr(1)}) {
    const auto opened = OpenWith(WithLog(Log() + torn));
    ASSERT_TRUE(opened.ok()) << opened.status();
    report.Got("starts", opened.status(), "");
    for (const auto& [question, answer] : testing::ReadEverything(**opened)) {
      EXPECT_EQ(answer, answers_.at(question)) << question;
      report.Found(answer == answers_.at(question));
    }
  }
}

TEST_F(RocksDbLogFiles, SyncedLogThatEndsTooEarlyIsDataLossAndLeftAsItIs) {
  testing::FaultReport report("a log ends before what was synced; later restored from a backup");
  for (size_t size = 0; size < Log().size(); size += 97) {
    const testing::FileBytes files = WithLog(Log().substr(0, size));
    const auto opened = OpenWith(files);
    ASSERT_EQ(opened.status().code(), absl::StatusCode::kDataLoss) << size << opened.status();
    report.Got("starts", opened.status(), "naming the file");
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr(log_));
    EXPECT_EQ(testing::ReadFiles(path_, copy_.get()), files);
  }
  for (const auto& [question, answer] : testing::ReadEverything(*OpenWith(files_).value())) {
    EXPECT_EQ(answer, answers_.at(question)) << question;
    report.Found(answer == answers_.at(question));
  }
}

TEST_F(RocksDbLogFiles, SyncedLogThatIsMissingIsDataLoss) {
  testing::FileBytes files = files_;
  files.erase(log_);
  const auto opened = OpenWith(files);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss) << opened.status();
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr(log_));
}

// As after a power cut that took the tail of the log, which was not synced: wherever that is cut, what is
// left is a prefix.
TEST_F(RocksDbLogFiles, LogThatWasNotSyncedLosesASuffix) {
  const SyncedEnds known = SyncedMark::Read(path_, &memory_)->value();
  const auto mark =
      SyncedMark::Open(path_, {known.manifest_number, known.manifest_bytes, known.log_number, 0}, &memory_);
  ASSERT_TRUE(mark.ok()) << mark.status();
  files_ = testing::ReadFiles(path_, &memory_);
  Version before(0);
  for (size_t size = 0; size <= Log().size(); size += 97) {
    const auto opened = OpenWith(WithLog(Log().substr(0, size)));
    ASSERT_TRUE(opened.ok()) << size << opened.status();
    const auto branch = testing::ReadBranch(**opened, "live");
    ASSERT_TRUE(branch.ok()) << branch.status();
    const auto history = testing::ScanAncestors(**opened, branch->head, 100);
    ASSERT_TRUE(history.ok()) << history.status();
    EXPECT_GE(branch->head, before);
    before = branch->head;
    for (const Version version : *history) {
      for (int position : {0, 2}) EXPECT_TRUE(testing::ReadArray(**opened, version, position).ok());
    }
  }
}

TEST_F(RocksDbLogFiles, LogBehindATornOneIsNotReplayed) {
  testing::FileBytes files = WithLog(Log() + "torn");
  files["000999.log"] = Log();
  const auto opened = OpenWith(files);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(testing::ReadEverything(**opened), answers_);
}

TEST_F(RocksDbLogFiles, StoreThatKnowsNothingOfSyncsOpens) {
  testing::FileBytes files = WithLog(Log().substr(0, Log().size() - 1));
  files.erase("SYNCED");
  const auto opened = OpenWith(files);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(testing::ReadSnapshot(**opened, Version(1)).ok());
  EXPECT_THAT(testing::ReadFiles(path_, copy_.get())["SYNCED"], SizeIs(files_["SYNCED"].size()));
}

}  // namespace
}  // namespace stepwell
