#include "stepwell/storage/rocksdb_verify.h"

#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rocksdb/write_batch.h"
#include "stepwell/storage/rocksdb_database.h"
#include "stepwell/storage/rocksdb_keys.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/full_store.h"
#include "stepwell/storage/testing/memory_env.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RocksDbVerify : public ::testing::Test {
 protected:
  RocksDbVerify() {
    EXPECT_TRUE(memory_.CreateDirIfMissing(path_).ok());
    testing::MakeFullStore(path_, &memory_);
  }

  absl::StatusOr<VerifyReport> Verify() {
    return VerifyRocksDbStore(path_, &memory_, [](absl::string_view, int64_t) {});
  }
  std::vector<std::string> Problems() {
    const auto report = Verify();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->problems : std::vector<std::string>();
  }

  // Changes rows behind the store's back, with checksums that fit.
  void Change(const std::function<void(const RocksDbDatabase&, rocksdb::WriteBatch&)>& change) {
    const auto database = RocksDbDatabase::Open(path_, &memory_);
    ASSERT_TRUE(database.ok()) << database.status();
    rocksdb::WriteBatch batch;
    change(**database, batch);
    ASSERT_TRUE((*database)->Write(batch).ok());
    ASSERT_TRUE((*database)->Sync().ok());
  }
  void Remove(Family family, const std::string& key) {
    Change([&](const RocksDbDatabase& database, rocksdb::WriteBatch& batch) {
      batch.Delete(database.family(family), key);
    });
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.path();
  testing::MemoryEnv memory_;
};

TEST_F(RocksDbVerify, WholeStoreHasNoProblemsAndIsAsItWas) {
  const testing::FileBytes before = testing::ReadFiles(path_, &memory_);
  const auto report = Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->problems, IsEmpty());
  EXPECT_THAT(report->remarks, IsEmpty());
  EXPECT_EQ(testing::ReadFiles(path_, &memory_), before);
  std::vector<std::string> counts;
  for (const auto& count : report->counts) {
    EXPECT_GT(count.checked, 0) << count.what;
    if (count.what == "snapshots" || count.what == "branches") {
      counts.push_back(absl::StrCat(count.checked, " ", count.what));
    }
  }
  EXPECT_THAT(counts, ElementsAre("9 snapshots", "2 branches"));
}

TEST_F(RocksDbVerify, StoreInUseIsRefused) {
  const auto store = RocksDbStore::Open({.path = path_, .env = &memory_});
  ASSERT_TRUE(store.ok());
  const auto refused = Verify();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("in use"));
}

TEST_F(RocksDbVerify, DirectoryWithoutAStoreIsRefusedAndLeftEmpty) {
  const std::string other = directory_.New();
  EXPECT_TRUE(memory_.CreateDirIfMissing(other).ok());
  const auto refused = VerifyRocksDbStore(other, &memory_, [](absl::string_view, int64_t) {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("has no store"));
  EXPECT_THAT(testing::ReadFiles(other, &memory_), IsEmpty());
}

TEST_F(RocksDbVerify, TornTailIsRemarkedAndNoProblem) {
  testing::FileBytes files = testing::ReadFiles(path_, &memory_);
  for (auto& [name, bytes] : files) {
    if (name.ends_with(".log")) bytes += "torn";
  }
  testing::WriteFiles(files, path_, &memory_);
  const auto report = Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->problems, IsEmpty());
  EXPECT_THAT(report->remarks, ElementsAre(HasSubstr("4 bytes behind its last whole record")));
}

TEST_F(RocksDbVerify, ArrayThatIsMissingIsNamed) {
  Remove(Family::kArrays, ArrayKey(Version(8), 0));
  EXPECT_THAT(Problems(), ElementsAre("the array at position 0 that version 8 wrote is missing"));
}

TEST_F(RocksDbVerify, ArrayOfADroppedVersionThatIsMissingIsNamed) {
  Remove(Family::kArrays, ArrayKey(Version(2), 1));
  EXPECT_THAT(Problems(), ElementsAre("the array at position 1 of version 2, which was dropped, is missing"));
}

TEST_F(RocksDbVerify, SnapshotThatIsMissingIsNamedByAllThatReferToIt) {
  Remove(Family::kSnapshots, SnapshotKey(Version(11)));
  const std::vector<std::string> problems = Problems();
  EXPECT_THAT(problems, Contains("version 12 hangs under version 11, which is missing"));
  EXPECT_THAT(problems, Contains("version 10 has the child 11, which is missing"));
  EXPECT_THAT(problems,
              Contains("version 12 refers to an array at position 1 of version 11, which is missing"));
}

TEST_F(RocksDbVerify, EdgeThatIsMissingIsNamed) {
  Remove(Family::kTree, EdgeKey(Version(7), Version(8)));
  EXPECT_THAT(Problems(), ElementsAre("version 8 hangs under version 7, which does not have it"));
}

TEST_F(RocksDbVerify, BranchWithoutItsHeadIsNamed) {
  Remove(Family::kSnapshots, SnapshotKey(Version(12)));
  EXPECT_THAT(Problems(), Contains("branch \"live\" points at version 12, which is missing"));
}

TEST_F(RocksDbVerify, VersionThatMayBeGivenAgainIsNamed) {
  Change([](const RocksDbDatabase& database, rocksdb::WriteBatch& batch) {
    batch.Put(database.family(Family::kMeta), kReservedEndKey, VersionValue(Version(12)));
  });
  EXPECT_THAT(Problems(), Contains(HasSubstr("version 12 is there; expected versions below 12")));
}

TEST_F(RocksDbVerify, RevisionThatIsMissingIsNamed) {
  Remove(Family::kMeta, ModelRevisionKey("counter", 2));
  EXPECT_THAT(Problems(),
              AllOf(SizeIs(Gt(1u)), Contains("version 1 is of revision 2 of model \"counter\", of "
                                             "which nothing is known")));
}

TEST_F(RocksDbVerify, DroppedVersionThatIsThereIsNamed) {
  Change([](const RocksDbDatabase& database, rocksdb::WriteBatch& batch) {
    batch.Put(database.family(Family::kTree), DroppedKey(Version(7)), VersionValue(Version(7)));
  });
  EXPECT_THAT(Problems(), ElementsAre("version 7 is there, and was dropped"));
}

TEST_F(RocksDbVerify, RecordsThatDoNotParseAreNamed) {
  Change([](const RocksDbDatabase& database, rocksdb::WriteBatch& batch) {
    batch.Put(database.family(Family::kBranches), "live", "no branch");
    batch.Put(database.family(Family::kRequests), "12345678id", "\xff\xff");
    batch.Put(database.family(Family::kTree), "x", "");
  });
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("of no known kind"), HasSubstr("branch \"live\" is damaged"),
                                      HasSubstr("a remembered request is damaged")));
}

}  // namespace
}  // namespace stepwell
