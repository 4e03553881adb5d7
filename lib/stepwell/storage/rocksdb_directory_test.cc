#include <filesystem>
#include <fstream>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/faulty_file_system.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using ::testing::HasSubstr;

class RocksDbDirectoryTest : public ::testing::Test {
 protected:
  static absl::Status Open(const std::string& path, rocksdb::Env* env = nullptr) {
    return RocksDbStore::Open({.path = path, .env = env}).status();
  }

  static void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

  // FAILED_PRECONDITION that names the directory and says `what`.
  static void ExpectRefused(const absl::Status& status, const std::string& path, const std::string& what) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(status.message(), HasSubstr(path));
    EXPECT_THAT(status.message(), HasSubstr(what));
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.New();
};

TEST_F(RocksDbDirectoryTest, IsMadeWhereThereIsNoneWithThoseAboveIt) {
  const absl::Status opened = Open(path_ + "/a/b");
  EXPECT_TRUE(opened.ok()) << opened;
  EXPECT_TRUE(Open(path_ + "/a/b").ok()) << "and opened again";
}

TEST_F(RocksDbDirectoryTest, ThatIsMadeIsItsOwnersAlone) {
  ASSERT_TRUE(Open(path_ + "/new/").ok());
  EXPECT_EQ(std::filesystem::status(path_ + "/new").permissions(), std::filesystem::perms::owner_all);
  const std::string there = path_ + "/there";
  std::filesystem::create_directory(there);
  std::filesystem::permissions(there, std::filesystem::perms(0750));
  ASSERT_TRUE(Open(there).ok());
  EXPECT_EQ(std::filesystem::status(there).permissions(), std::filesystem::perms(0750)) << "left as it was";
}

TEST_F(RocksDbDirectoryTest, ThatAnotherStoreHasOpenIsRefusedUntilThatIsClosed) {
  auto first = RocksDbStore::Open({.path = path_});
  ASSERT_TRUE(first.ok()) << first.status();
  ExpectRefused(Open(path_), path_, "in use");
  ExpectRefused(Open(path_), path_, "in use");
  first->reset();
  EXPECT_TRUE(Open(path_).ok());
}

TEST_F(RocksDbDirectoryTest, OfANewerFormatIsRefusedAndLeftAlone) {
  ASSERT_TRUE(Open(path_).ok());
  Write(path_ + "/STEPWELL", "stepwell store, format 2\n");
  ExpectRefused(Open(path_), path_, "has format 2; expected at most 1");
  Write(path_ + "/STEPWELL", "stepwell store, format 1\n");
  EXPECT_TRUE(Open(path_).ok());
}

TEST_F(RocksDbDirectoryTest, OfAnotherProgramIsRefusedAndNothingIsAddedToIt) {
  std::filesystem::create_directory(path_);
  Write(path_ + "/CURRENT", "MANIFEST-000004\n");
  ExpectRefused(Open(path_), path_, "holds \"CURRENT\"");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path_), {}), 1);
}

TEST_F(RocksDbDirectoryTest, WhoseMarkIsNotOursIsRefused) {
  std::filesystem::create_directory(path_);
  for (const char* text : {"", "stepwell store, format one\n", "something else\n"}) {
    Write(path_ + "/STEPWELL", text);
    ExpectRefused(Open(path_), path_, "a file STEPWELL that says something else");
  }
}

TEST_F(RocksDbDirectoryTest, ThatCannotBeWrittenIsRefused) {
  const auto files = std::make_shared<testing::FaultyFileSystem>();
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(files);
  ASSERT_TRUE(Open(path_, env.get()).ok());
  files->FailNewFiles();
  ExpectRefused(Open(path_, env.get()), path_, "cannot be written");
  ExpectRefused(Open(directory_.New(), env.get()), directory_.path(), "cannot be written");
}

TEST_F(RocksDbDirectoryTest, ThatCannotBeMadeIsRefused) {
  Write(path_, "a file");
  ExpectRefused(Open(path_ + "/store"), path_ + "/store", "cannot be written: Not a directory");
}

TEST_F(RocksDbDirectoryTest, WhoseMakingWasBrokenOffIsMadeAnew) {
  std::filesystem::create_directory(path_);
  Write(path_ + "/STEPWELL", "stepwell store, format 1\n");
  Write(path_ + "/MANIFEST-000001", "");
  EXPECT_TRUE(Open(path_).ok());
}

TEST_F(RocksDbDirectoryTest, WithoutItsCurrentFileIsDataLossAndKeepsWhatItHas) {
  ASSERT_TRUE(Open(path_).ok());
  std::filesystem::rename(path_ + "/CURRENT", path_ + "/CURRENT.away");
  const absl::Status damaged = Open(path_);
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss) << damaged;
  EXPECT_THAT(damaged.message(), HasSubstr(path_));
  std::filesystem::rename(path_ + "/CURRENT.away", path_ + "/CURRENT");
  EXPECT_TRUE(Open(path_).ok());
}

}  // namespace
}  // namespace stepwell
