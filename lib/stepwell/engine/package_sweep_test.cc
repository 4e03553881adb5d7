#include "stepwell/engine/package_sweep.h"

#include <memory>
#include <optional>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/testing/expect_error.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/temp_folder.h"
#include "stepwell/storage/testing/forwarding_store.h"

namespace stepwell {
namespace {

using testing::ExpectError;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Takes what is to be SYNC as if there were a disk, and counts.
class SweptStore final : public testing::ForwardingStore {
 public:
  void Commit(CommitBatch batch, Durability durability, DoneCallback visible, DoneCallback durable) override {
    if (durability == Durability::kSync) ++syncs;
    if (durability == Durability::kSync && fails_to_sync) {
      return std::move(visible)(absl::FailedPreconditionError("read-only"));
    }
    ForwardingStore::Commit(std::move(batch), Durability::kAsync, std::move(visible), std::move(durable));
  }
  void ScanSnapshots(Version before, size_t limit,
                     Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) override {
    ++scans;
    ForwardingStore::ScanSnapshots(before, limit, std::move(done));
  }

  int scans = 0;
  int syncs = 0;
  bool fails_to_sync = false;
};

// Snapshots of revisions of the model "m", which a new process looks at.
class PackageSweepTest : public ::testing::Test {
 protected:
  PackageSweepTest() { Restart(); }

  void Restart() {
    sweep_.reset();
    engine_.reset();
    models_.reset();
    models_.emplace(RepositoryOptions{.root = folder_.path()}, &store_, archive_.get());
    engine_.emplace(EngineOptions(), &store_, &*models_, &clock_);
    sweep_.emplace(PackageSweepOptions{.batch_size = 2}, &store_, &*models_);
  }
  // A step that has answered may still hold its model for a moment.
  void EndSteps() {
    engine_.reset();
    engine_.emplace(EngineOptions(), &store_, &*models_, &clock_);
  }
  // Loads the package with that description, and makes `count` states of it.
  std::vector<Version> Make(const std::string& description, int count) {
    folder_.Write("m/step.onnx", testing::CounterGraph().Bytes());
    folder_.Write("m/model.textproto", "description: \"" + description +
                                           "\" state { index: \"count\" dtype: INT32 } method { name: "
                                           "\"step\" }");
    EXPECT_TRUE(models_->Load("m").ok());
    std::vector<Version> versions;
    for (int i = 0; i < count; ++i) {
      versions.push_back(Await(*engine_, &Engine::MakeState, {.model = "m"})->snapshot->version());
    }
    return versions;
  }
  void Delete(const std::vector<Version>& versions) {
    const auto deleted = Await(*engine_, &Engine::DeleteSnapshots, {.versions = versions});
    ASSERT_TRUE(deleted.ok()) << deleted.status();
  }
  // Until the next pause; how often that read snapshots.
  int RunSweep() {
    const int before = store_.scans;
    absl::StatusOr<absl::Duration> pause;
    do {
      pause = sweep_->Work();
      EXPECT_TRUE(pause.ok()) << pause.status();
    } while (pause.ok() && *pause < PackageSweepOptions().pause);
    return store_.scans - before;
  }
  std::vector<std::string> Kept() const { return archive_->List().value(); }

  testing::TempFolder folder_;
  SystemClock clock_;
  SweptStore store_;
  const std::unique_ptr<PackageArchive> archive_ = PackageArchive::Open(folder_.path() / ".archive").value();
  std::optional<ModelRepository> models_;
  std::optional<Engine> engine_;
  std::optional<PackageSweep> sweep_;
};

TEST_F(PackageSweepTest, PackageStaysWhileASnapshotNeedsIt) {
  std::vector<Version> old = Make("one", 5);
  Make("two", 5);
  Restart();
  ASSERT_TRUE(models_->Load("m").ok());
  EXPECT_EQ(RunSweep(), 3) << "from the newest snapshot to the first of revision 1, two at a time";
  EXPECT_THAT(Kept(), SizeIs(2));
  EXPECT_EQ(RunSweep(), 0) << "that one is still there";
  Delete({old[4], old[3]});
  EXPECT_EQ(RunSweep(), 1) << "goes on from there";
  Delete({old[0], old[1]});
  EXPECT_EQ(RunSweep(), 0);
  EXPECT_EQ(store_.syncs, 0);
  EXPECT_THAT(Kept(), SizeIs(2));
  Delete({old[2]});
  RunSweep();
  EXPECT_THAT(Kept(), SizeIs(1));
  EXPECT_EQ(store_.syncs, 1) << "before the package goes, what has dropped its snapshots must last";
  EXPECT_EQ(models_->Find("m").value()->description(), "two");
  EXPECT_EQ(RunSweep(), 0) << "nothing is left to look for";
}

TEST_F(PackageSweepTest, PackageInUseStaysWithoutASnapshot) {
  Make("one", 0);
  Make("two", 0);
  EXPECT_EQ(RunSweep(), 0);
  EXPECT_THAT(Kept(), SizeIs(2));
  ASSERT_TRUE(models_->Unload("m").ok());
  RunSweep();
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(PackageSweepTest, PackageThatComesIntoUseIsLookedForAnew) {
  Make("one", 1);
  const std::vector<Version> old = Make("two", 1);
  Restart();
  EXPECT_GT(RunSweep(), 0);
  // Revision 1 is loaded for its state, steps it, and is unloaded again.
  ASSERT_TRUE(models_->Load("m").ok());
  const auto stepped =
      Await(*engine_, &Engine::Step, {.state = Version(1), .inputs = {{"x", Array::Scalar<int32_t>(1)}}});
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  EXPECT_GT(stepped->snapshot->version(), old[0]);
  ASSERT_TRUE(models_->Unload("m").ok());
  EndSteps();
  Delete({Version(1)});
  RunSweep();
  EXPECT_THAT(Kept(), SizeIs(2)) << "its newest snapshot is newer than what was looked at before";
  Delete({stepped->snapshot->version()});
  RunSweep();
  EXPECT_THAT(Kept(), SizeIs(1));
}

TEST_F(PackageSweepTest, NothingIsDroppedThatIsNotSafe) {
  Make("one", 0);
  Restart();
  store_.fails_to_sync = true;
  absl::StatusOr<absl::Duration> pause = absl::ZeroDuration();
  while (pause.ok()) pause = sweep_->Work();
  ExpectError(pause.status(), absl::StatusCode::kFailedPrecondition, "", "read-only");
  EXPECT_THAT(Kept(), SizeIs(1));
  store_.fails_to_sync = false;
  RunSweep();
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(PackageSweepTest, StateOfAnOldRevisionIsSteppedByItsKeptPackage) {
  const std::vector<Version> old = Make("one", 1);
  Make("two", 1);
  Restart();
  ASSERT_TRUE(models_->Load("m").ok());
  const StepRequest request{.state = old[0], .inputs = {{"x", Array::Scalar<int32_t>(3)}}};
  const auto stepped = Await(*engine_, &Engine::Step, request);
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  EXPECT_EQ(stepped->snapshot->record().origin->revision, 1);
  const auto made = Await(*engine_, &Engine::MakeState, {.model = "m"});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->snapshot->record().origin->revision, 2);
}

TEST_F(PackageSweepTest, NewStateMayBeMadeOfAKeptRevision) {
  Make("one", 1);
  Make("two", 1);
  Restart();
  const auto made = Await(*engine_, &Engine::MakeState, {.model = "m", .revision = 1});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->snapshot->record().origin->revision, 1);
  ExpectError(Await(*engine_, &Engine::MakeState, {.model = "m", .revision = 3}).status(),
              absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "expected one of 1");
  ExpectError(Await(*engine_, &Engine::MakeState, {.model = "m"}).status(), absl::StatusCode::kNotFound,
              "MODEL_NOT_FOUND", "m");
}

}  // namespace
}  // namespace stepwell
