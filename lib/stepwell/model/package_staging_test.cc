#include "stepwell/model/package_staging.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/model/testing/expect_error.h"
#include "stepwell/model/testing/temp_folder.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using testing::ExpectError;
using ::testing::Pair;

// The files below `folder`, with their content.
std::map<std::string, std::string> Content(const fs::path& folder) {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    content[entry.path().lexically_relative(folder).string()].assign(std::istreambuf_iterator<char>(file),
                                                                     {});
  }
  return content;
}

class PackageStagingTest : public ::testing::Test {
 protected:
  std::unique_ptr<PackageStaging> Stage(std::vector<PackageFile> files, const std::string& name = "m") {
    absl::StatusOr<std::unique_ptr<PackageStaging>> made =
        PackageStaging::Make(folder_.path(), name, std::move(files));
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  testing::TempFolder folder_;
};

TEST_F(PackageStagingTest, BytesGoToTheirFilesHoweverTheyAreCut) {
  for (const size_t size : {1, 2, 3, 100}) {
    const auto staged = Stage({{"empty", 0}, {"a/b/c.bin", 5}, {"a/none", 0}, {"d", 4}, {"last/empty", 0}});
    const std::string bytes = "abcde1234";
    for (size_t at = 0; at < bytes.size(); at += size) {
      const absl::Status written = staged->Write(bytes.substr(at, size));
      ASSERT_TRUE(written.ok()) << written;
    }
    ASSERT_TRUE(staged->Write("").ok());
    ASSERT_TRUE(staged->Finish().ok());
    EXPECT_THAT(Content(staged->path()),
                ElementsAre(Pair("a/b/c.bin", "abcde"), Pair("a/none", ""), Pair("d", "1234"),
                            Pair("empty", ""), Pair("last/empty", "")));
  }
}

TEST_F(PackageStagingTest, TooFewAndTooManyBytesAreRefused) {
  const auto staged = Stage({{"a", 5}, {"b", 3}});
  ASSERT_TRUE(staged->Write("1234567").ok());
  ExpectError(staged->Finish(), absl::StatusCode::kInvalidArgument, "", "ended after 7 bytes; expected 8");
  ExpectError(staged->Write("89"), absl::StatusCode::kInvalidArgument, "",
              "more bytes than the 8 of the files");
}

TEST_F(PackageStagingTest, WhatIsNotPlacedGoes) {
  {
    const auto staged = Stage({{"a/b", 5}, {"c", 3}});
    ASSERT_TRUE(staged->Write("123").ok());
    EXPECT_FALSE(fs::is_empty(folder_.path()));
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      EXPECT_EQ(entry.path().filename().string().front(), '.') << "a repository would look there";
    }
  }
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(PackageStagingTest, NewPackageIsPlacedWhole) {
  {
    const auto staged = Stage({{"a/b", 2}, {"c", 1}});
    ASSERT_TRUE(staged->Write("123").ok());
    ASSERT_TRUE(staged->Finish().ok());
    EXPECT_FALSE(fs::exists(folder_.path() / "m"));
    ASSERT_TRUE(staged->Place().ok());
  }
  EXPECT_THAT(Content(folder_.path()), ElementsAre(Pair("m/a/b", "12"), Pair("m/c", "3")));
}

TEST_F(PackageStagingTest, PlacedPackageReplacesTheOneThatIsThereWhole) {
  folder_.Write("m/old", "old");
  folder_.Write("m/c", "old");
  folder_.Write("other/old", "old");
  fs::create_directory_symlink(folder_.path() / "other", folder_.path() / "m/link");
  {
    const auto staged = Stage({{"c", 3}});
    ASSERT_TRUE(staged->Write("new").ok());
    ASSERT_TRUE(staged->Finish().ok());
    ASSERT_TRUE(staged->Place().ok());
  }
  EXPECT_THAT(Content(folder_.path()), ElementsAre(Pair("m/c", "new"), Pair("other/old", "old")));
}

TEST_F(PackageStagingTest, LinkThatIsReplacedLeavesWhatItLeadsTo) {
  folder_.Write("elsewhere/old", "old");
  fs::create_directory_symlink("elsewhere", folder_.path() / "m");
  {
    const auto staged = Stage({{"c", 3}});
    ASSERT_TRUE(staged->Write("new").ok());
    ASSERT_TRUE(staged->Finish().ok());
    ASSERT_TRUE(staged->Place().ok());
  }
  EXPECT_THAT(Content(folder_.path()), ElementsAre(Pair("elsewhere/old", "old"), Pair("m/c", "new")));
}

TEST_F(PackageStagingTest, OnlyFileNamedAsThePackageIsALoneFile) {
  folder_.Write("m.onnx", "old");
  {
    const auto staged = Stage({{"m.onnx", 3}});
    EXPECT_TRUE(staged->is_lone_file());
    ASSERT_TRUE(staged->Write("new").ok());
    ASSERT_TRUE(staged->Finish().ok());
    EXPECT_EQ(staged->path().filename(), "m.onnx");
    ASSERT_TRUE(staged->Place().ok());
  }
  EXPECT_THAT(Content(folder_.path()), ElementsAre(Pair("m.onnx", "new")));
  EXPECT_FALSE(Stage({{"other.onnx", 3}})->is_lone_file());
  EXPECT_FALSE(Stage({{"m.onnx", 3}, {"model.textproto", 3}})->is_lone_file());
}

TEST_F(PackageStagingTest, FilesAreReadableAsTheProcessWouldMakeThem) {
  const auto staged = Stage({{"a/b", 0}});
  ASSERT_TRUE(staged->Finish().ok());
  fs::create_directory(folder_.path() / "plain");
  folder_.Write("plain/file", "");
  EXPECT_EQ(fs::status(staged->path()).permissions(), fs::status(folder_.path() / "plain").permissions());
  EXPECT_EQ(fs::status(staged->path() / "a").permissions(),
            fs::status(folder_.path() / "plain").permissions());
  EXPECT_EQ(fs::status(staged->path() / "a/b").permissions(),
            fs::status(folder_.path() / "plain/file").permissions());
}

TEST_F(PackageStagingTest, FolderThatCannotBeWrittenSaysSo) {
  ExpectError(PackageStaging::Make("/sys", "m", {{"a", 1}}).status(), absl::StatusCode::kFailedPrecondition,
              "REPOSITORY_READ_ONLY", "\"/sys\" cannot be written: ");
  ExpectError(PackageStaging::Make(folder_.path() / "gone", "m", {{"a", 1}}).status(),
              absl::StatusCode::kInternal, "", "gone\" cannot be written: No such file or directory");
}

TEST_F(PackageStagingTest, LeftoversOfAnEndedProcessGoAndNothingElseDoes) {
  const auto in_use = Stage({{"a", 1}});
  ASSERT_TRUE(in_use->Write("1").ok());
  const pid_t child = fork();
  if (child == 0) {  // Ends in the middle of an upload.
    const auto staged = PackageStaging::Make(folder_.path(), "m", {{"b", 2}});
    _exit(staged.ok() && (*staged)->Write("2").ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  folder_.Write("m/c", "3");
  folder_.Write(".other/d", "4");
  folder_.Write(".upload-file", "5");
  EXPECT_EQ(Content(folder_.path()).size(), 5u);
  PackageStaging::RemoveLeftovers(folder_.path());
  EXPECT_EQ(Content(folder_.path()).size(), 4u);
  ASSERT_TRUE(in_use->Finish().ok());
  EXPECT_THAT(Content(in_use->path()), ElementsAre(Pair("a", "1")));
  PackageStaging::RemoveLeftovers(folder_.path() / "gone");
}

}  // namespace
}  // namespace stepwell
