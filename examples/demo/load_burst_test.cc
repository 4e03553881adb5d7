#include "examples/demo/load_burst.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::demo {
namespace {

using ::testing::HasSubstr;

namespace fs = std::filesystem;

class LoadBurstTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  LoadBurst::Options Small() const {
    return {.compute_threads = 1,
            .folder = folder_,
            .file_bytes = 2 << 20,
            .memory_bytes = 8 << 20,
            .limit = absl::Seconds(20)};
  }

  fs::path folder_;
};

TEST_F(LoadBurstTest, TakesMemoryAndWritesUntilItIsStopped) {
  LoadBurst burst(Small());
  while (burst.Progress().memory_bytes < 8 << 20 || burst.Progress().written_bytes <= 2 << 20)
    std::this_thread::yield();
  burst.Stop();
  EXPECT_FALSE(burst.running());
  const LoadBurst::Report report = burst.Progress();
  EXPECT_EQ(report.compute_threads, 1);
  EXPECT_EQ(report.memory_bytes, 8 << 20);
  EXPECT_GT(report.written_bytes, 2 << 20);
  EXPECT_TRUE(report.disk.ok()) << report.disk;
}

TEST_F(LoadBurstTest, LeavesNoFileBehind) {
  LoadBurst burst(Small());
  while (burst.Progress().written_bytes == 0) std::this_thread::yield();
  EXPECT_TRUE(
      fs::is_empty(folder_));  // Also while it writes: a program that is killed leaves nothing either.
}

TEST_F(LoadBurstTest, WithoutAFolderToWriteInSaysSoAndGoesOn) {
  LoadBurst::Options options = Small();
  options.folder = folder_ / "missing";
  LoadBurst burst(options);
  while (burst.Progress().memory_bytes < 8 << 20) std::this_thread::yield();
  const LoadBurst::Report report = burst.Progress();
  EXPECT_EQ(report.written_bytes, 0);
  EXPECT_EQ(report.disk.code(), absl::StatusCode::kNotFound) << report.disk;
  EXPECT_THAT(std::string(report.disk.message()), HasSubstr((options.folder / "stepwell-demo-").string()));
}

TEST_F(LoadBurstTest, EndsByItselfAtItsLimit) {
  LoadBurst::Options options = Small();
  options.limit = absl::ZeroDuration();
  LoadBurst burst(options);
  while (burst.running()) std::this_thread::yield();
  EXPECT_EQ(burst.Progress().written_bytes, 0);
}

}  // namespace
}  // namespace stepwell::demo
