#include "stepwell/model/package_archive.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/model/testing/expect_error.h"
#include "stepwell/model/testing/temp_folder.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using testing::ExpectError;

class PackageArchiveTest : public ::testing::Test {
 protected:
  PackageArchiveTest() {
    folder_.Write("m/model.textproto", "method { name: \"step\" }");
    folder_.Write("m/step.onnx", "a graph");
    folder_.Write("m/data/weights.bin", std::string(1 << 20, 'w'));
  }

  fs::path root() const { return folder_.path() / "archive"; }
  // Where the package's copy is to be.
  fs::path CopyOf(const std::string& digest) const { return root() / digest.substr(digest.find(':') + 1); }
  std::unique_ptr<PackageArchive> Open() const { return PackageArchive::Open(root()).value(); }
  Package PackageIn(const std::string& name) const { return Package::Open(folder_.path() / name).value(); }

  // Keeps the package; its digest.
  std::string Keep(PackageArchive& archive, const std::string& name = "m") const {
    const Package package = PackageIn(name);
    const std::string digest = package.Digest().value();
    const absl::Status kept = archive.Keep(package, digest);
    EXPECT_TRUE(kept.ok()) << kept;
    return digest;
  }

  testing::TempFolder folder_;
};

TEST_F(PackageArchiveTest, KeptPackageOutlivesItsOriginal) {
  const std::string digest = Keep(*Open());
  fs::remove_all(folder_.path() / "m");
  const auto archive = Open();
  EXPECT_TRUE(archive->Has(digest));
  EXPECT_THAT(archive->List().value(), ElementsAre(digest));
  const auto package = archive->Find(digest);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_THAT(package->files(), ElementsAre("data/weights.bin", "model.textproto", "step.onnx"));
  EXPECT_EQ(package->Read("step.onnx").value(), "a graph");
  EXPECT_EQ(package->Digest().value(), digest);
  EXPECT_EQ(fs::status(root()).permissions(), fs::perms::owner_all);
}

TEST_F(PackageArchiveTest, LoneFileIsOneAgain) {
  folder_.Write("lone.onnx", "a graph with its text");
  const auto archive = Open();
  const std::string digest = Keep(*archive, "lone.onnx");
  const auto package = archive->Find(digest);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_TRUE(package->is_lone_file());
  EXPECT_THAT(package->files(), ElementsAre("lone.onnx"));
}

TEST_F(PackageArchiveTest, LinkedFileIsKeptAsAFile) {
  fs::create_symlink("step.onnx", folder_.path() / "m/again.onnx");
  const auto archive = Open();
  const std::string digest = Keep(*archive);
  fs::remove_all(folder_.path() / "m");
  EXPECT_EQ(archive->Find(digest)->Read("again.onnx").value(), "a graph");
}

TEST_F(PackageArchiveTest, SecondCopyIsNotMade) {
  const auto archive = Open();
  const std::string digest = Keep(*archive);
  const auto first = fs::last_write_time(CopyOf(digest) / "step.onnx");
  Keep(*archive);
  EXPECT_EQ(fs::last_write_time(CopyOf(digest) / "step.onnx"), first);
  EXPECT_THAT(archive->List().value(), ElementsAre(digest));
}

TEST_F(PackageArchiveTest, PackageThatChangedMeanwhileIsNotKept) {
  const auto archive = Open();
  const std::string digest = PackageIn("m").Digest().value();
  folder_.Write("m/step.onnx", "another graph");
  ExpectError(archive->Keep(PackageIn("m"), digest), absl::StatusCode::kFailedPrecondition, "",
              "was changed while it was loaded");
  EXPECT_FALSE(archive->Has(digest));
  EXPECT_TRUE(fs::is_empty(root())) << "nothing is left of it";
}

TEST_F(PackageArchiveTest, UnknownDigestIsNotFound) {
  ExpectError(Open()->Find("sha256:00").status(), absl::StatusCode::kNotFound, "PACKAGE_NOT_FOUND",
              "sha256:00");
}

TEST_F(PackageArchiveTest, CopyThatIsNotWhatItWasIsDataLoss) {
  const auto archive = Open();
  const std::string digest = Keep(*archive);
  const fs::path graph = CopyOf(digest) / "step.onnx";
  std::ofstream(graph) << "A graph";
  ExpectError(archive->Find(digest).status(), absl::StatusCode::kDataLoss, "PACKAGE_DAMAGED", digest);
  fs::remove(graph);
  ExpectError(archive->Find(digest).status(), absl::StatusCode::kDataLoss, "PACKAGE_DAMAGED", digest);
  fs::remove_all(CopyOf(digest));
  fs::create_directory(CopyOf(digest));
  ExpectError(archive->Find(digest).status(), absl::StatusCode::kDataLoss, "PACKAGE_DAMAGED", digest);
}

TEST_F(PackageArchiveTest, DroppedPackageIsGoneAndMayBeKeptAgain) {
  const auto archive = Open();
  const std::string digest = Keep(*archive);
  ASSERT_TRUE(archive->Drop(digest).ok());
  EXPECT_FALSE(archive->Has(digest));
  EXPECT_TRUE(fs::is_empty(root()));
  EXPECT_TRUE(archive->Drop(digest).ok()) << "which is no matter";
  Keep(*archive);
  EXPECT_TRUE(archive->Find(digest).ok());
}

TEST_F(PackageArchiveTest, UnfinishedCopyOfAnEarlierProcessIsRemoved) {
  const std::string digest = Keep(*Open());
  folder_.Write("archive/.0123/step.onnx", "half a gra");
  const auto archive = Open();
  EXPECT_THAT(archive->List().value(), ElementsAre(digest));
  EXPECT_FALSE(fs::exists(root() / ".0123"));
}

TEST_F(PackageArchiveTest, FolderThatCannotBeMadeIsAnError) {
  folder_.Write("archive", "a file");
  ExpectError(PackageArchive::Open(root()).status(), absl::StatusCode::kInternal, "PACKAGE_NOT_KEPT",
              root().string());
  ExpectError(PackageArchive::Open(folder_.path() / "no/archive").status(), absl::StatusCode::kInternal,
              "PACKAGE_NOT_KEPT", "no/archive");
}

}  // namespace
}  // namespace stepwell
