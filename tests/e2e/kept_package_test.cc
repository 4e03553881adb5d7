// A state is stepped by the revision that made it, also when its package has changed or gone while the server
// was down.
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "stepwell/model/testing/graph_builder.h"
#include "tests/e2e/disk_fixture.h"

namespace stepwell::testing {
namespace {

namespace fs = std::filesystem;

using client::BranchName;
using client::Durability;
using client::ErrorReason;
using client::NewestRevision;
using client::StateRef;
using client::Version;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KeptPackageTest : public DiskTest {
 protected:
  fs::path package() const { return models() / "counter"; }

  // Another content of the package: a counter that counts downwards.
  void ChangePackage() const {
    GraphBuilder graph;
    graph.Input({"count", DType::kInt32, {}})
        .Input({"x", DType::kInt32, {}})
        .Node("Sub", {"count", "x"}, {"count.next"})
        .Node("Identity", {"count.next"}, {"y"})
        .Output({"y", DType::kInt32, {}})
        .Output({"count.next", DType::kInt32, {}});
    std::ofstream(package() / "new", std::ios::binary) << graph.Bytes();
    fs::rename(package() / "new", package() / "step.onnx");
  }
  int64_t RevisionOf(const StateRef& state) {
    const auto snapshot = client_->GetSnapshot(state);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() ? snapshot->revision() : 0;
  }
  std::vector<int64_t> LoadedRevisions() {
    const auto model = client_->GetModel("counter");
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return {};
    return {model->loaded_revisions().begin(), model->loaded_revisions().end()};
  }
  size_t KeptPackages() const {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(fs::path(data()) / "packages")) {
      if (entry.path().filename().string()[0] != '.') ++count;
    }
    return count;
  }
};

class KeptPackageRestartTest : public KeptPackageTest, public ::testing::WithParamInterface<End> {};

INSTANTIATE_TEST_SUITE_P(Of, KeptPackageRestartTest, ::testing::Values(End::kStopped, End::kKilled), EndName);

TEST_P(KeptPackageRestartTest, StateOfAPackageThatChangedIsSteppedAsBefore) {
  Start();
  Make("live");
  const Version one = Add(BranchName{"live"}, 5).value();
  ChangePackage();
  Restart(GetParam());
  EXPECT_EQ(client_->GetModel("counter")->revision(), 2);
  EXPECT_THAT(LoadedRevisions(), ElementsAre(2)) << "nobody has needed the old one so far";

  const Version two = Add(BranchName{"live"}, 2).value();
  EXPECT_EQ(Count(two), 7);
  EXPECT_EQ(RevisionOf(two), 1);
  EXPECT_EQ(Count(Add(one, 1).value()), 6) << "a fork of an old version, too";
  EXPECT_THAT(LoadedRevisions(), ElementsAre(1, 2));
  Make("new");
  EXPECT_EQ(Count(Add(BranchName{"new"}, 5).value()), -5) << "new states are of the new revision";

  const auto moved = client_->SetArrays(
      {.state = BranchName{"live"}, .revision = NewestRevision(), .durability = Durability::kSync});
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->revision(), 2);
  EXPECT_EQ(Count(Add(BranchName{"live"}, 1).value()), 6);
  Restart(GetParam());
  EXPECT_EQ(Count(Add(two, 1).value()), 8) << "and after another restart";
}

TEST_P(KeptPackageRestartTest, PackageThatIsChangedBackHasItsNumberAgain) {
  Start();
  Make("live");
  const Version one = Add(BranchName{"live"}, 5).value();
  fs::copy(package() / "step.onnx", folder_ / "before");
  ChangePackage();
  Restart(GetParam());
  EXPECT_EQ(client_->GetModel("counter")->revision(), 2);
  fs::rename(folder_ / "before", package() / "step.onnx");
  Restart(GetParam());
  EXPECT_EQ(client_->GetModel("counter")->revision(), 1);
  EXPECT_EQ(Count(Add(one, 2).value()), 7);
}

TEST_P(KeptPackageRestartTest, StateOfAPackageThatIsGoneIsSteppedAndNoNewOneIsMade) {
  Start();
  Make("live");
  Add(BranchName{"live"}, 5).value();
  fs::remove_all(package());
  Restart(GetParam());
  EXPECT_EQ(ErrorReason(client_->GetModel("counter").status()), "MODEL_NOT_FOUND");
  EXPECT_EQ(Count(BranchName{"live"}), 5);
  EXPECT_EQ(Count(Add(BranchName{"live"}, 2).value()), 7);
  const absl::Status made = client_->MakeState({.model = "counter"}).status();
  EXPECT_EQ(ErrorReason(made), "MODEL_NOT_FOUND");
  EXPECT_THAT(std::string(made.message()), HasSubstr("serves the states that it has made"));
}

TEST_F(KeptPackageTest, PackageThatIsDamagedIsDataLossAndItsStatesCanBeRead) {
  Start();
  Make("live");
  Add(BranchName{"live"}, 5).value();
  for (const auto& file : fs::recursive_directory_iterator(fs::path(data()) / "packages")) {
    if (file.path().filename() == "step.onnx") fs::resize_file(file.path(), 10);
  }
  fs::remove_all(package());
  Restart(End::kStopped);
  for (int i = 0; i < 2; ++i) {
    const absl::Status refused = Add(BranchName{"live"}, 1).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
    EXPECT_EQ(ErrorReason(refused), "PACKAGE_DAMAGED");
  }
  EXPECT_EQ(Count(BranchName{"live"}), 5);
}

TEST_F(KeptPackageTest, PackageGoesWithTheLastSnapshotOfItsRevision) {
  Start();
  const Version root = Make("live");
  ChangePackage();
  Restart(End::kStopped);
  ASSERT_EQ(KeptPackages(), 2U);
  ASSERT_TRUE(client_->DeleteBranch({.name = "live"}).ok());
  ASSERT_TRUE(client_->DeleteSnapshots({.versions = {root}}).ok());
  Restart(End::kStopped, {"--retention-pause-seconds", "0.01"});
  while (KeptPackages() > 1) ASSERT_TRUE(client_->GetModel("counter").ok());
  Make("new");
  EXPECT_EQ(Count(Add(BranchName{"new"}, 5).value()), -5);
}

}  // namespace
}  // namespace stepwell::testing
