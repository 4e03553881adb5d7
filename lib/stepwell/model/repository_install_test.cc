#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/model/package.h"
#include "stepwell/model/package_staging.h"
#include "stepwell/model/repository.h"
#include "stepwell/model/testing/expect_error.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/load_gate.h"
#include "stepwell/model/testing/temp_folder.h"
#include "stepwell/storage/memory_store.h"
#include "stepwell/storage/testing/forwarding_store.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

using testing::CounterGraph;
using testing::ExpectError;

constexpr char kInstalledText[] = "state { index: \"count\" dtype: INT32 }\nmethod { name: \"step\" }\n";

class InstallTest : public ::testing::Test {
 protected:
  using Files = std::vector<std::pair<std::string, std::string>>;  // Paths with contents.

  InstallTest() : models_({.root = folder_.path()}, &store_) {}

  static Files Counter(const std::string& description) {
    return {{"step.onnx", CounterGraph().Bytes()},
            {"model.textproto", "description: \"" + description + "\"\n" + kInstalledText}};
  }

  std::unique_ptr<PackageStaging> Stage(const std::string& name, const Files& files) const {
    std::vector<PackageFile> announced;
    std::string bytes;
    for (const auto& [path, content] : files) {
      announced.push_back({path, static_cast<int64_t>(content.size())});
      bytes += content;
    }
    absl::StatusOr<std::unique_ptr<PackageStaging>> staged =
        PackageStaging::Make(folder_.path(), name, std::move(announced));
    EXPECT_TRUE(staged.ok()) << staged.status();
    EXPECT_TRUE((*staged)->Write(bytes).ok());
    EXPECT_TRUE((*staged)->Finish().ok());
    return *std::move(staged);
  }
  absl::StatusOr<std::shared_ptr<const Model>> Install(const std::string& name, const Files& files,
                                                       bool replace = false, const std::string& digest = "") {
    return models_.Install(*Stage(name, files), digest, replace);
  }
  std::vector<std::string> Entries() const {
    std::vector<std::string> entries;
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      entries.push_back(entry.path().filename());
    std::ranges::sort(entries);
    return entries;
  }

  testing::TempFolder folder_;
  MemoryStore store_;
  ModelRepository models_;
};

TEST_F(InstallTest, NewPackageIsInPlaceAndLoaded) {
  const auto installed = Install("m", Counter("one"));
  ASSERT_TRUE(installed.ok()) << installed.status();
  EXPECT_EQ((*installed)->revision(), 1);
  EXPECT_EQ((*installed)->digest(), Package::Open(folder_.path() / "m")->Digest().value());
  EXPECT_EQ(models_.Find("m").value(), *installed);
  EXPECT_EQ(models_.Load("m").value(), *installed) << "there is nothing new to load";
  EXPECT_EQ(Entries(), std::vector<std::string>{"m"});
  const auto stepped =
      (*installed)->methods()[0]->Run({Array::Scalar<int32_t>(2)}, {Array::Scalar<int32_t>(1)});
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  EXPECT_EQ(stepped->written[0], Array::Scalar<int32_t>(3));
}

TEST_F(InstallTest, LoneFileIsInPlaceAndLoaded) {
  const auto graph = [](const std::string& description) {
    return CounterGraph()
        .Metadata("stepwell.model", "description: \"" + description + "\"\n" + kInstalledText)
        .Bytes();
  };
  ASSERT_TRUE(Install("m", {{"m.onnx", graph("one")}}).ok());
  EXPECT_EQ(Entries(), std::vector<std::string>{"m.onnx"});
  ExpectError(Install("m", {{"m.onnx", graph("two")}}).status(), absl::StatusCode::kAlreadyExists,
              "MODEL_EXISTS", "model \"m\"");
  const auto replaced = Install("m", {{"m.onnx", graph("two")}}, true);
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_EQ((*replaced)->revision(), 2);
  EXPECT_EQ((*replaced)->description(), "two");
  EXPECT_EQ(models_.Load("m").value(), *replaced);
}

TEST_F(InstallTest, SameContentIsTheSameRevision) {
  const auto first = Install("m", Counter("one"));
  ASSERT_TRUE(first.ok()) << first.status();
  for (const bool replace : {false, true}) EXPECT_EQ(Install("m", Counter("one"), replace).value(), *first);
  ASSERT_TRUE(models_.Unload("m").ok());
  const auto again = Install("m", Counter("one"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->revision(), 1);
  EXPECT_EQ(Entries(), std::vector<std::string>{"m"});
}

TEST_F(InstallTest, OtherContentReplacesOnlyWhenAskedTo) {
  const auto first = Install("m", Counter("one"));
  ASSERT_TRUE(first.ok()) << first.status();
  ExpectError(
      Install("m", Counter("two")).status(), absl::StatusCode::kAlreadyExists, "MODEL_EXISTS",
      "model \"m\" has a package with other content in the repository; expected replace, or a new name");
  EXPECT_EQ(models_.Load("m").value(), *first);
  const auto second = Install("m", Counter("two"), true);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->revision(), 2);
  EXPECT_EQ((*second)->description(), "two");
  EXPECT_EQ(models_.Find("m", 1).value(), *first);
  EXPECT_EQ(models_.Load("m").value(), *second);
  EXPECT_EQ(Install("m", Counter("one"), true).value()->revision(), 3)
      << "back to what it was is a change too";
}

TEST_F(InstallTest, PackageThatIsReplacedStaysInTheArchive) {
  const std::unique_ptr<PackageArchive> archive = PackageArchive::Open(folder_.path() / ".archive").value();
  {
    ModelRepository models({.root = folder_.path()}, &store_, archive.get());
    ASSERT_TRUE(models.Install(*Stage("m", Counter("one")), "", false).ok());
    ASSERT_TRUE(models.Install(*Stage("m", Counter("two")), "", true).ok());
  }
  ModelRepository after({.root = folder_.path()}, &store_, archive.get());
  EXPECT_EQ(after.Load("m").value()->revision(), 2);
  absl::Notification tried;
  WorkerPool::Task done = [&tried] { tried.Notify(); };
  ASSERT_TRUE(after.LoadKept("m", 1, done));
  tried.WaitForNotification();
  const auto replaced = after.Find("m", 1);
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_EQ((*replaced)->description(), "one");
}

TEST_F(InstallTest, WrongPackageIsSaidWholeAndLeavesNothing) {
  Files wrong = Counter("one");
  wrong[1].second += "method { name: \"1st\" }\nmethod { name: \"other\" }\n";
  const absl::Status refused = Install("m", wrong).status();
  ExpectError(refused, absl::StatusCode::kFailedPrecondition, "MODEL_INVALID", "method \"1st\"");
  ExpectError(refused, absl::StatusCode::kFailedPrecondition, "MODEL_INVALID", "other.onnx");
  EXPECT_TRUE(Entries().empty());
  EXPECT_TRUE(models_.List().empty()) << "a model that never was is not FAILED";
  ExpectError(models_.Find("m").status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "is not loaded");

  const auto first = Install("m", Counter("one"));
  ASSERT_TRUE(first.ok()) << first.status();
  ExpectError(Install("m", wrong, true).status(), absl::StatusCode::kFailedPrecondition, "MODEL_INVALID", "");
  EXPECT_EQ(models_.Status("m")->state, ModelState::kReady);
  EXPECT_EQ(models_.Load("m").value(), *first);
}

TEST_F(InstallTest, GoodPackageMendsAFailure) {
  folder_.Write("m/model.textproto", "colour: 1");
  ASSERT_FALSE(models_.Load("m").ok());
  ASSERT_TRUE(Install("m", Counter("one"), true).ok());
  EXPECT_EQ(models_.Status("m")->state, ModelState::kReady);
}

TEST_F(InstallTest, DigestThatIsNotThePackagesIsRefused) {
  ExpectError(Install("m", Counter("one"), false, "sha256:0").status(), absl::StatusCode::kInvalidArgument,
              "", "expected \"sha256:0\"");
  EXPECT_TRUE(Entries().empty());
  folder_.Write("same/step.onnx", Counter("one")[0].second);
  folder_.Write("same/model.textproto", Counter("one")[1].second);
  EXPECT_TRUE(
      Install("m", Counter("one"), false, Package::Open(folder_.path() / "same")->Digest().value()).ok());
}

TEST_F(InstallTest, PackageOfTheOtherKindIsNotReplaced) {
  const Files lone = {{"m.onnx", CounterGraph().Metadata("stepwell.model", kInstalledText).Bytes()}};
  ASSERT_TRUE(Install("m", Counter("one")).ok());
  ExpectError(Install("m", lone, true).status(), absl::StatusCode::kFailedPrecondition, "",
              "model \"m\" is a folder in the repository");
  fs::remove_all(folder_.path() / "m");
  ASSERT_TRUE(Install("m", lone).ok());
  ExpectError(Install("m", Counter("one"), true).status(), absl::StatusCode::kFailedPrecondition, "",
              "model \"m\" is a lone .onnx file in the repository");
}

TEST_F(InstallTest, NameThatIsNoneIsRefused) {
  ExpectError(models_.Install(*Stage("a b", Counter("one")), "", false).status(),
              absl::StatusCode::kInvalidArgument, "", "expected 1 to 128 letters");
}

// Has something happen when a revision is recorded, which is after a package was checked and before it is in
// place.
class HookedStore final : public testing::ForwardingStore {
 public:
  void RecordModelRevision(ModelRevisionRecord record, DoneCallback done) override {
    on_record();
    if (!error.ok()) return std::move(done)(error);
    ForwardingStore::RecordModelRevision(std::move(record), std::move(done));
  }

  std::function<void()> on_record = [] {};
  absl::Status error;
};

TEST_F(InstallTest, RevisionThatCannotBeRecordedIsNotInstalled) {
  HookedStore store;
  ModelRepository models({.root = folder_.path()}, &store);
  store.error = absl::FailedPreconditionError("read-only");
  ExpectError(models.Install(*Stage("m", Counter("one")), "", false).status(),
              absl::StatusCode::kFailedPrecondition, "", "read-only");
  EXPECT_TRUE(Entries().empty());
  EXPECT_TRUE(models.List().empty());
}

TEST_F(InstallTest, PackageThatCannotBePlacedKeepsItsNumber) {
  HookedStore store;
  ModelRepository models({.root = folder_.path()}, &store);
  const auto staged = Stage("m", Counter("one"));
  store.on_record = [&] { fs::remove_all(staged->path()); };
  ExpectError(models.Install(*staged, "", false).status(), absl::StatusCode::kInternal, "",
              "cannot be written");
  store.on_record = [] {};
  EXPECT_TRUE(models.List().empty());
  EXPECT_EQ(models.Install(*Stage("m", Counter("two")), "", false).value()->revision(), 2);
}

TEST_F(InstallTest, LoadOfTheSameNameWaitsAndNobodySeesWhatIsNotInstalled) {
  testing::LoadGate gate;
  Files slow = Counter("slow");
  slow[0].second = testing::LoadGate::Graph().Bytes();
  const auto staged = Stage("m", slow);
  std::thread installer([&] { EXPECT_TRUE(models_.Install(*staged, "", false).ok()); });
  gate.WaitUntilHeld();
  EXPECT_TRUE(models_.List().empty());
  ExpectError(models_.Status("m").status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "");
  ExpectError(models_.Load("m").status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "has no package");
  const auto second = Stage("m", Counter("two"));
  std::thread other([&] {
    ExpectError(models_.Install(*second, "", false).status(), absl::StatusCode::kAlreadyExists,
                "MODEL_EXISTS", "");
  });
  gate.Open();
  installer.join();
  other.join();
  EXPECT_EQ(models_.Find("m").value()->description(), "slow");
}

}  // namespace
}  // namespace stepwell
