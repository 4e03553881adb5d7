#include "stepwell/model/package.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/model/testing/temp_folder.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& what) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

std::string DigestOf(const fs::path& path) { return Package::Open(path)->Digest().value(); }

TEST(Package, ListsRegularFilesSortedWithoutHiddenOnes) {
  const testing::TempFolder folder;
  folder.Write("step.onnx", "s");
  folder.Write("model.textproto", "t");
  folder.Write("weights/b.bin", "b");
  folder.Write("weights/a.bin", "a");
  folder.Write(".git/config", "x");
  folder.Write("weights/.a.bin.swp", "x");
  ASSERT_EQ(mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  const absl::StatusOr<Package> package = Package::Open(folder.path());
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_FALSE(package->is_lone_file());
  EXPECT_EQ(package->folder(), folder.path());
  EXPECT_THAT(package->files(),
              ElementsAre("model.textproto", "step.onnx", "weights/a.bin", "weights/b.bin"));
  EXPECT_EQ(package->Read("weights/b.bin").value(), "b");
  EXPECT_EQ(package->Read("./weights//b.bin").value(), "b");
}

TEST(Package, FollowsLinksThatStayInside) {
  const testing::TempFolder folder;
  // As Kubernetes mounts a ConfigMap: the names lead through a hidden folder that is exchanged as a whole.
  folder.Write("..2026/model.textproto", "text");
  fs::create_directory_symlink("..2026", folder.path() / "..data");
  fs::create_symlink("..data/model.textproto", folder.path() / "model.textproto");
  const absl::StatusOr<Package> package = Package::Open(folder.path());
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_THAT(package->files(), ElementsAre("model.textproto"));
  EXPECT_EQ(package->Read("model.textproto").value(), "text");
}

TEST(Package, LinkThatLeavesTheFolderIsRefused) {
  const testing::TempFolder outside;
  outside.Write("secret", "s");
  for (const fs::path& target : {outside.path() / "secret", outside.path(), fs::path("/etc/passwd")}) {
    const testing::TempFolder folder;
    folder.Write("model.textproto", "t");
    fs::create_symlink(target, folder.path() / "weights.bin");
    ExpectError(Package::Open(folder.path()).status(), absl::StatusCode::kFailedPrecondition,
                "weights.bin: the symbolic link leads out of the package; expected a file inside");
  }
}

TEST(Package, LinkToAFolderWhoseNameOnlyBeginsAlikeIsRefused) {
  const testing::TempFolder folder;
  folder.Write("model_private/secret", "s");
  folder.Write("model/model.textproto", "t");
  fs::create_symlink("../model_private/secret", folder.path() / "model/weights.bin");
  ExpectError(Package::Open(folder.path() / "model").status(), absl::StatusCode::kFailedPrecondition,
              "leads out of the package");
}

TEST(Package, LinkThatLeadsNowhereIsRefused) {
  const testing::TempFolder folder;
  fs::create_symlink("gone", folder.path() / "a.bin");
  ExpectError(Package::Open(folder.path()).status(), absl::StatusCode::kFailedPrecondition,
              "a.bin: the symbolic link leads nowhere");
  fs::remove(folder.path() / "a.bin");
  fs::create_symlink("b.bin", folder.path() / "a.bin");
  fs::create_symlink("a.bin", folder.path() / "b.bin");
  ExpectError(Package::Open(folder.path()).status(), absl::StatusCode::kFailedPrecondition, "leads nowhere");
}

TEST(Package, PathsThatLeaveThePackageAreRefusedBeforeTheFileSystemIsAsked) {
  const testing::TempFolder folder;
  folder.Write("model/model.textproto", "t");
  folder.Write("other", "o");
  const absl::StatusOr<Package> package = Package::Open(folder.path() / "model");
  ASSERT_TRUE(package.ok());
  for (const char* path : {"", "/etc/passwd", "../other", "a/../../other", "..", "sub/.."}) {
    ExpectError(package->Find(path).status(), absl::StatusCode::kInvalidArgument, "leaves the package");
  }
  for (const char* path : {"other", "model.textprot", "model.textproto/x", "~", "\xFF"}) {
    ExpectError(package->Find(path).status(), absl::StatusCode::kNotFound, "is not in the package");
  }
  ExpectError(package->Read(std::string("model.textproto\0", 16)).status(), absl::StatusCode::kNotFound,
              "model.textproto\\x00");
}

TEST(Package, LoneFileHoldsNothingBeside) {
  const testing::TempFolder folder;
  folder.Write("counter.onnx", "graph");
  folder.Write("weights.bin", "w");
  const absl::StatusOr<Package> package = Package::Open(folder.path() / "counter.onnx");
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_TRUE(package->is_lone_file());
  EXPECT_THAT(package->files(), ElementsAre("counter.onnx"));
  EXPECT_EQ(package->Read("counter.onnx").value(), "graph");
  ExpectError(package->Find("weights.bin").status(), absl::StatusCode::kNotFound, "is not in the package");
}

TEST(Package, WhatIsNeitherFolderNorGraphIsNotFound) {
  const testing::TempFolder folder;
  folder.Write("model.bin", "x");
  ASSERT_EQ(mkfifo((folder.path() / "pipe.onnx").c_str(), 0600), 0);
  for (const char* name : {"gone", "gone.onnx", "model.bin", "pipe.onnx"}) {
    ExpectError(Package::Open(folder.path() / name).status(), absl::StatusCode::kNotFound,
                "is neither a folder nor a .onnx file");
  }
}

TEST(Package, DigestIsThatOfNamesAndContents) {
  const testing::TempFolder one;
  one.Write("model.textproto", "text");
  one.Write("step.onnx", "graph");
  const testing::TempFolder two;
  two.Write("step.onnx", "graph");
  two.Write("model.textproto", "text");
  two.Write(".hidden", "x");
  const std::string digest = DigestOf(one.path());
  EXPECT_THAT(digest, ::testing::MatchesRegex("sha256:[0-9a-f]{64}"));
  EXPECT_EQ(DigestOf(two.path()), digest) << "where it lies, and what is hidden, do not count";
  two.Write("step.onnx", "grapg");
  EXPECT_NE(DigestOf(two.path()), digest);
  two.Write("step.onnx", "graph");
  EXPECT_EQ(DigestOf(two.path()), digest);
  fs::rename(two.path() / "step.onnx", two.path() / "stop.onnx");
  EXPECT_NE(DigestOf(two.path()), digest);
}

TEST(Package, DigestTellsWhereOneFileEndsAndTheNextBegins) {
  const testing::TempFolder one;
  one.Write("a", "xb");
  one.Write("b", "");
  const testing::TempFolder two;
  two.Write("a", "x");
  two.Write("b", "b");
  EXPECT_NE(DigestOf(one.path()), DigestOf(two.path()));
}

TEST(ModelName, IsAFileNameThatReachesNothingElse) {
  for (const char* name : {"a", "counter", "gru-64_v1.2", "0", "_x"}) EXPECT_TRUE(CheckModelName(name).ok());
  EXPECT_TRUE(CheckModelName(std::string(128, 'a')).ok());
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("../x"),
                                  std::string("a/b"), std::string("-x"), std::string("a b"),
                                  std::string("\xC3\xA9"), std::string("a\0b", 3), std::string(129, 'a')}) {
    ExpectError(CheckModelName(name), absl::StatusCode::kInvalidArgument, "expected 1 to 128 letters");
  }
}

}  // namespace
}  // namespace stepwell
