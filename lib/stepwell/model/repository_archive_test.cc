#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/model/repository.h"
#include "stepwell/model/testing/expect_error.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/temp_folder.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

using testing::CounterGraph;
using ::testing::ElementsAre;
using testing::ExpectError;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

// The model "m" of a repository with an archive; Restart is another process on the same store.
class RepositoryArchiveTest : public ::testing::Test {
 protected:
  RepositoryArchiveTest() { Restart(); }

  void Restart() {
    models_.reset();
    archive_ = PackageArchive::Open(folder_.path() / ".archive").value();
    models_.emplace(RepositoryOptions{.root = folder_.path()}, &store_, archive_.get());
  }
  void Write(const std::string& name, const std::string& description) const {
    folder_.Write(name + "/step.onnx", CounterGraph().Bytes());
    folder_.Write(name + "/model.textproto", "description: \"" + description +
                                                 "\" state { index: \"count\" dtype: INT32 } method { name: "
                                                 "\"step\" }");
  }
  int64_t Load(const std::string& name = "m") {
    const auto loaded = models_->Load(name);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? (*loaded)->revision() : 0;
  }
  // Revisions 1 and 2 are known, and 2 is loaded by a process that has not had 1.
  void LoadTwoRevisions() {
    Write("m", "one");
    ASSERT_EQ(Load(), 1);
    Write("m", "two");
    ASSERT_EQ(Load(), 2);
    Restart();
    ASSERT_EQ(Load(), 2);
  }
  // Whether it was to be loaded; waits until that was tried.
  bool LoadKept(int64_t revision, const std::string& name = "m") {
    absl::Notification tried;
    WorkerPool::Task done = [&tried] { tried.Notify(); };
    if (!models_->LoadKept(name, revision, done)) return false;
    tried.WaitForNotification();
    return true;
  }
  std::string DescriptionOf(int64_t revision) {
    const auto model = models_->Find("m", revision);
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? (*model)->description() : "";
  }
  std::vector<ModelRepository::UnusedPackage> Unused() { return models_->ListUnusedPackages().value(); }

  testing::TempFolder folder_;
  MemoryStore store_;
  std::unique_ptr<PackageArchive> archive_;
  std::optional<ModelRepository> models_;
};

TEST_F(RepositoryArchiveTest, RevisionOfAPackageThatChangedIsLoadedWhenItIsNeeded) {
  LoadTwoRevisions();
  ExpectError(models_->Find("m", 1).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
              "has no revision 1 loaded; expected one of 2");
  EXPECT_TRUE(LoadKept(1));
  EXPECT_EQ(DescriptionOf(1), "one");
  EXPECT_EQ(models_->Find("m").value()->revision(), 2) << "it is no news";
  EXPECT_THAT(models_->Status("m")->revisions, ElementsAre(1, 2));
  EXPECT_EQ(models_->Status("m")->state, ModelState::kReady);
  EXPECT_FALSE(LoadKept(3)) << "nobody ever made it";
  EXPECT_FALSE(LoadKept(2)) << "it is loaded";
  EXPECT_FALSE(LoadKept(1, "other"));
}

TEST_F(RepositoryArchiveTest, StatesOfAPackageThatIsGoneCanBeSteppedAndNothingNewIsMade) {
  Write("m", "one");
  ASSERT_EQ(Load(), 1);
  fs::remove_all(folder_.path() / "m");
  Restart();
  ASSERT_TRUE(models_->LoadAll().ok());
  EXPECT_THAT(models_->List(), IsEmpty());
  EXPECT_TRUE(LoadKept(1));
  EXPECT_EQ(DescriptionOf(1), "one");
  ExpectError(models_->Find("m").status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "m");
  EXPECT_THAT(models_->Status("m")->revisions, ElementsAre(1));
}

TEST_F(RepositoryArchiveTest, PackageThatIsWrongNowLeavesTheKeptOneAlone) {
  Write("m", "one");
  ASSERT_EQ(Load(), 1);
  folder_.Write("m/model.textproto", "colour: 1");
  Restart();
  EXPECT_FALSE(models_->Load("m").ok());
  EXPECT_TRUE(LoadKept(1));
  EXPECT_EQ(DescriptionOf(1), "one");
  ExpectError(models_->Find("m").status(), absl::StatusCode::kFailedPrecondition, "MODEL_NOT_READY",
              "colour");
  EXPECT_THAT(archive_->List().value(), SizeIs(1)) << "what cannot be loaded is not kept";
}

TEST_F(RepositoryArchiveTest, PackageThatIsChangedBackTakesOverWhatWasLoaded) {
  LoadTwoRevisions();
  Write("m", "one");
  Restart();
  fs::rename(folder_.path() / "m", folder_.path() / ".m");
  EXPECT_TRUE(LoadKept(1));
  const auto kept = models_->Find("m", 1).value();
  fs::rename(folder_.path() / ".m", folder_.path() / "m");
  EXPECT_EQ(models_->Load("m").value(), kept) << "it is not loaded twice";
  EXPECT_EQ(models_->Find("m").value(), kept);
  EXPECT_THAT(models_->Status("m")->revisions, ElementsAre(1));
}

TEST_F(RepositoryArchiveTest, ManyWhoNeedARevisionGetTheSame) {
  LoadTwoRevisions();
  absl::Notification first_tried;
  absl::Notification second_tried;
  std::shared_ptr<const Model> first;
  WorkerPool::Task one = [&] {
    first = models_->Find("m", 1).value();
    first_tried.Notify();
  };
  WorkerPool::Task two = [&] { second_tried.Notify(); };
  ASSERT_TRUE(models_->LoadKept("m", 1, one));
  if (models_->LoadKept("m", 1, two)) second_tried.WaitForNotification();
  first_tried.WaitForNotification();
  EXPECT_EQ(models_->Find("m", 1).value(), first);
}

TEST_F(RepositoryArchiveTest, DamagedPackageIsSaidAndNotTriedAgainUntilALoad) {
  LoadTwoRevisions();
  for (const auto& file : fs::recursive_directory_iterator(folder_.path() / ".archive")) {
    if (file.path().filename() == "step.onnx") fs::resize_file(file.path(), 10);
  }
  EXPECT_TRUE(LoadKept(1));
  ExpectError(models_->Find("m", 1).status(), absl::StatusCode::kDataLoss, "PACKAGE_DAMAGED", "is damaged");
  EXPECT_FALSE(LoadKept(1));
  EXPECT_EQ(DescriptionOf(2), "two") << "which is the folder's";
  ASSERT_EQ(Load(), 2);
  EXPECT_TRUE(LoadKept(1));
}

TEST_F(RepositoryArchiveTest, UnloadedRevisionStaysUnloadedUntilALoad) {
  LoadTwoRevisions();
  ASSERT_TRUE(models_->Unload("m", 1).ok()) << "what may be loaded can be unloaded";
  EXPECT_FALSE(LoadKept(1));
  ExpectError(models_->Unload("m", 1), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "expected one of 2");
  ASSERT_EQ(Load(), 2);
  EXPECT_TRUE(LoadKept(1));
  ASSERT_TRUE(models_->Unload("m", 1).ok());
  EXPECT_FALSE(LoadKept(1));
  EXPECT_THAT(models_->Status("m")->revisions, ElementsAre(2));

  ASSERT_EQ(Load(), 2);
  EXPECT_TRUE(LoadKept(1));
  ASSERT_TRUE(models_->Unload("m").ok());
  EXPECT_FALSE(LoadKept(1));
  EXPECT_FALSE(LoadKept(2));
  ExpectError(models_->Find("m", 1).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "m");
}

TEST_F(RepositoryArchiveTest, PackageInUseIsNotUnused) {
  LoadTwoRevisions();
  ASSERT_THAT(Unused(), SizeIs(1));
  EXPECT_THAT(Unused()[0].revisions, ElementsAre(Pair("m", 1)));
  EXPECT_TRUE(LoadKept(1));
  EXPECT_THAT(Unused(), IsEmpty());
  auto held = models_->Find("m", 1);
  ASSERT_TRUE(models_->Unload("m", 1).ok());
  EXPECT_THAT(Unused(), IsEmpty()) << "somebody steps it";
  *held = nullptr;
  EXPECT_THAT(Unused(), SizeIs(1));
  Write("other", "one");
  ASSERT_EQ(Load("other"), 1);
  EXPECT_THAT(Unused(), IsEmpty()) << "another model has the same content";
  ASSERT_TRUE(models_->Unload("other").ok());
  ASSERT_THAT(Unused(), SizeIs(1));
  EXPECT_THAT(Unused()[0].revisions, ElementsAre(Pair("m", 1), Pair("other", 1)));
}

TEST_F(RepositoryArchiveTest, UnusedPackageIsDroppedAndKeptAgain) {
  LoadTwoRevisions();
  ASSERT_THAT(Unused(), SizeIs(1));
  ASSERT_TRUE(models_->DropUnused(Unused()[0]).ok());
  EXPECT_THAT(archive_->List().value(), SizeIs(1));
  EXPECT_FALSE(LoadKept(1));
  ExpectError(models_->Find("m", 1).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
              "has no revision 1 loaded");
  Write("m", "one");
  Restart();
  EXPECT_EQ(Load(), 1) << "its number is not forgotten";
  EXPECT_THAT(archive_->List().value(), SizeIs(2));
}

TEST_F(RepositoryArchiveTest, PackageThatWasUsedSinceItWasListedIsNotDropped) {
  LoadTwoRevisions();
  const auto listed = Unused();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_TRUE(LoadKept(1));
  ASSERT_TRUE(models_->DropUnused(listed[0]).ok());
  ASSERT_TRUE(models_->Unload("m", 1).ok());
  ASSERT_TRUE(models_->DropUnused(listed[0]).ok());
  EXPECT_THAT(archive_->List().value(), SizeIs(2)) << "it may have made snapshots in between";
  ASSERT_TRUE(models_->DropUnused(Unused()[0]).ok());
  EXPECT_THAT(archive_->List().value(), SizeIs(1));
}

TEST_F(RepositoryArchiveTest, CopyWithoutARevisionIsUnused) {
  Write("m", "one");
  const Package package = Package::Open(folder_.path() / "m").value();
  ASSERT_TRUE(archive_->Keep(package, package.Digest().value()).ok());
  ASSERT_THAT(Unused(), SizeIs(1));
  EXPECT_THAT(Unused()[0].revisions, IsEmpty());
}

TEST_F(RepositoryArchiveTest, RevisionWhosePackageCannotBeKeptIsNotLoaded) {
  Write("m", "one");
  ASSERT_EQ(Load(), 1);
  Write("m", "two");
  const fs::path moved = folder_.path() / ".moved";
  fs::rename(folder_.path() / ".archive", moved);
  folder_.Write(".archive", "a file");
  ExpectError(models_->Load("m").status(), absl::StatusCode::kInternal, "PACKAGE_NOT_KEPT", ".archive");
  EXPECT_EQ(models_->Find("m").value()->revision(), 1);
  fs::remove(folder_.path() / ".archive");
  fs::rename(moved, folder_.path() / ".archive");
  EXPECT_EQ(Load(), 2);
}

}  // namespace
}  // namespace stepwell
