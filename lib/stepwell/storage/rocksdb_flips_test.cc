// A bit flips, in every file of a store.
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/rocksdb_verify.h"
#include "stepwell/storage/testing/full_store.h"
#include "stepwell/storage/testing/memory_env.h"
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using ::testing::HasSubstr;

// What the files of a store are, by their names.
enum class FileKind { kLog, kManifest, kTable, kBlob, kOther };

FileKind KindOf(absl::string_view name) {
  if (absl::EndsWith(name, ".log")) return FileKind::kLog;
  if (absl::StartsWith(name, "MANIFEST")) return FileKind::kManifest;
  if (absl::EndsWith(name, ".sst")) return FileKind::kTable;
  if (absl::EndsWith(name, ".blob")) return FileKind::kBlob;
  return FileKind::kOther;
}

std::string NameOf(FileKind kind) {
  constexpr const char* kNames[] = {"Logs", "Manifests", "Tables", "Blobs", "OtherFiles"};
  return kNames[static_cast<size_t>(kind)];
}

class RocksDbFlips : public ::testing::TestWithParam<FileKind> {
 protected:
  RocksDbFlips() {
    EXPECT_TRUE(memory_->CreateDirIfMissing(path_).ok());
    testing::MakeFullStore(path_, memory_.get());
    files_ = testing::ReadFiles(path_, memory_.get());
    memory_ = std::make_unique<testing::MemoryEnv>();
    testing::WriteFiles(files_, path_, memory_.get());
    answers_ = testing::ReadEverything(*Open().value());
  }

  absl::StatusOr<std::unique_ptr<RocksDbStore>> Open() {
    return RocksDbStore::Open({.path = path_, .read_threads = 1, .env = memory_.get()});
  }

  // The bytes of a file in which bits flip: all of a log, of a larger file its ends, and some between.
  static std::vector<size_t> BytesToFlip(const std::string& file, std::mt19937& random) {
    const bool all = GetParam() == FileKind::kLog || GetParam() == FileKind::kManifest;
    constexpr size_t kEnds = 32;
    constexpr size_t kBetween = 24;
    std::vector<size_t> bytes;
    for (size_t i = 0; i < file.size(); ++i) {
      const bool at_end = i < kEnds || i + kEnds >= file.size();
      if (all || at_end || random() % file.size() < kBetween) bytes.push_back(i);
    }
    return bytes;
  }

  bool IsSeenByVerify() {
    const auto report = VerifyRocksDbStore(path_, memory_.get(), [](absl::string_view, int64_t) {});
    return !report.ok() || !report->problems.empty();
  }

  // Opens the store with one bit of `name` changed and holds every answer against what it was.
  void Flip(const std::string& name, size_t byte, int bit) {
    SCOPED_TRACE(absl::StrCat(name, " byte ", byte, " bit ", bit));
    testing::FileBytes files = files_;
    files[name][byte] = static_cast<char>(files[name][byte] ^ (1 << bit));
    memory_ = std::make_unique<testing::MemoryEnv>();
    testing::WriteFiles(files, path_, memory_.get());
    // One in some, for the time that it takes.
    const bool seen = byte % 16 != 0 || IsSeenByVerify();
    EXPECT_EQ(testing::ReadFiles(path_, memory_.get()), files) << "verify changes nothing";
    auto opened = Open();
    if (!opened.ok()) {
      ++refused_;
      EXPECT_TRUE(seen);
      EXPECT_THAT(std::string(opened.status().message()), HasSubstr(path_));
      EXPECT_THAT(std::string(opened.status().message()), HasSubstr(name == "STEPWELL" ? path_ : name));
      EXPECT_EQ(testing::ReadFiles(path_, memory_.get())[name], files[name]) << "it is as it was";
      return;
    }
    bool is_same = true;
    for (const auto& [question, answer] : testing::ReadEverything(**opened)) {
      if (answer == answers_.at(question)) continue;
      is_same = false;
      EXPECT_EQ(answer.status().code(), absl::StatusCode::kDataLoss) << question << ": " << answer.status();
      // Of a blob file RocksDB does not say which it is.
      EXPECT_THAT(std::string(answer.status().message()),
                  HasSubstr(GetParam() == FileKind::kBlob ? path_ : name))
          << question;
    }
    ++(is_same ? unharmed_ : lossy_);
    EXPECT_TRUE(seen || is_same);
    // No number is handed out twice, though none may be: a compaction that met the damage has made the store
    // read-only.
    const absl::StatusOr<Version> next = testing::Reserve(**opened);
    if (next.ok()) {
      EXPECT_GE(*next, testing::kFullStoreEnd);
    } else {
      EXPECT_EQ(GetErrorInfo(next.status()).reason, "STORE_READ_ONLY");
      EXPECT_THAT(std::string(next.status().message()), HasSubstr(name));
    }
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.path();
  std::unique_ptr<rocksdb::Env> memory_ = std::make_unique<testing::MemoryEnv>();
  testing::FileBytes files_;
  testing::Answers answers_;
  int refused_ = 0;
  int lossy_ = 0;
  int unharmed_ = 0;
};

INSTANTIATE_TEST_SUITE_P(In, RocksDbFlips,
                         ::testing::Values(FileKind::kLog, FileKind::kManifest, FileKind::kTable,
                                           FileKind::kBlob, FileKind::kOther),
                         [](const auto& test) { return NameOf(test.param); });

TEST_P(RocksDbFlips, AreNeverAWrongAnswer) {
  std::mt19937 random(7);
  int flips = 0;
  for (const auto& [name, bytes] : files_) {
    if (KindOf(name) != GetParam()) continue;
    for (const size_t byte : BytesToFlip(bytes, random)) {
      Flip(name, byte, static_cast<int>(random() % 8));
      ++flips;
    }
  }
  RecordProperty("fault", absl::StrCat("a bit flips, ", NameOf(GetParam()), " (", flips, " flips)"));
  RecordProperty("requests", absl::StrCat("starts: refused, with the file's name (", refused_,
                                          "); reads: DATA_LOSS of what it holds (", lossy_,
                                          "); everything: as it was (", unharmed_, ")"));
  RecordProperty("lost", HasFailure() ? "see the test's failures" : "nothing unnoticed");
  // What is needed is damaged by each flip; tables and blobs have bytes that nobody reads.
  const bool is_needed = GetParam() == FileKind::kLog || GetParam() == FileKind::kManifest;
  EXPECT_GT(flips, 50);
  if (is_needed) {
    EXPECT_EQ(refused_, flips);
  }
  if (GetParam() == FileKind::kTable || GetParam() == FileKind::kBlob) {
    EXPECT_GT(lossy_, 50);
  }
}

}  // namespace
}  // namespace stepwell
