#include "stepwell/model/repository.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/model/package.h"
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
using ::testing::HasSubstr;

constexpr char kText[] = "state { index: \"count\" dtype: INT32 }\nmethod { name: \"step\" }\n";

class RepositoryTest : public ::testing::Test {
 protected:
  RepositoryTest() : models_({.root = folder_.path()}) {}

  void WriteCounter(const std::string& name, const std::string& description = "") const {
    folder_.Write(name + "/step.onnx", CounterGraph().Bytes());
    folder_.Write(name + "/model.textproto", "description: \"" + description + "\"\n" + kText);
  }

  testing::TempFolder folder_;
  ModelRepository models_;
};

TEST_F(RepositoryTest, LoadAllListsWhatLoadsAndWhatDoesNot) {
  WriteCounter("good");
  WriteCounter("bad name");
  WriteCounter("\xFF");
  WriteCounter("broken");
  fs::resize_file(folder_.path() / "broken/step.onnx", 50);
  folder_.Write("lone.onnx", CounterGraph().Metadata("stepwell.model", kText).Bytes());
  folder_.Write("README.md", "no package");
  folder_.Write(".hidden/model.textproto", "");
  folder_.Write("notes/readme", "no package");
  ASSERT_TRUE(models_.LoadAll().ok());
  std::map<std::string, ModelStatus> listed;
  for (ModelStatus& status : models_.List()) listed.emplace(status.name, std::move(status));
  ASSERT_EQ(listed.size(), 5u);
  for (const char* name : {"good", "lone"}) {
    EXPECT_EQ(listed.at(name).state, ModelState::kReady) << listed.at(name).error;
    EXPECT_EQ(listed.at(name).model->revision(), 1);
  }
  EXPECT_EQ(listed.at("broken").state, ModelState::kFailed);
  ExpectError(listed.at("broken").error, absl::StatusCode::kFailedPrecondition, "MODEL_INVALID",
              "step.onnx: ");
  for (const char* name : {"bad name", "\\xff"}) {
    EXPECT_EQ(listed.at(name).state, ModelState::kFailed);
    ExpectError(listed.at(name).error, absl::StatusCode::kInvalidArgument, "", name);
  }
  ExpectError(models_.Find("broken").status(), absl::StatusCode::kFailedPrecondition, "MODEL_NOT_READY",
              "it failed to load: ");
}

TEST_F(RepositoryTest, MissingRootIsNotFound) {
  ExpectError(ModelRepository({.root = folder_.path() / "gone"}).LoadAll(), absl::StatusCode::kNotFound, "",
              "gone");
}

TEST_F(RepositoryTest, EmptyRootIsARepository) {
  EXPECT_TRUE(models_.LoadAll().ok());
  EXPECT_TRUE(models_.List().empty());
}

TEST_F(RepositoryTest, UnknownModelsAreNotFound) {
  for (const absl::Status& status :
       {models_.Load("gone").status(), models_.Find("gone").status(), models_.Find("gone", 1).status(),
        models_.FindStateSpec("gone", 1).status(), models_.FindDigest("gone", 1).status(),
        models_.Status("gone").status(), models_.Unload("gone")}) {
    ExpectError(status, absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "model \"gone\"");
  }
  for (const char* name : {"", "..", "../x", "a/b", ".hidden", "a b"}) {
    ExpectError(models_.Load(name).status(), absl::StatusCode::kInvalidArgument, "",
                "expected 1 to 128 letters");
  }
  ExpectError(models_.Find(std::string("a\0\xFF", 3)).status(), absl::StatusCode::kNotFound,
              "MODEL_NOT_FOUND", "a\\x00\\xff");
}

TEST_F(RepositoryTest, SameContentIsTheSameRevision) {
  WriteCounter("m");
  const auto first = models_.Load("m");
  ASSERT_TRUE(first.ok()) << first.status();
  WriteCounter("m");  // Anew, with the same bytes.
  EXPECT_EQ(models_.Load("m").value(), *first);
  EXPECT_EQ((*first)->revision(), 1);
  EXPECT_EQ((*first)->digest(), Package::Open(folder_.path() / "m")->Digest().value());
}

TEST_F(RepositoryTest, ChangedContentIsTheNextRevision) {
  WriteCounter("m", "one");
  const auto first = models_.Load("m");
  ASSERT_TRUE(first.ok()) << first.status();
  WriteCounter("m", "two");
  const auto second = models_.Load("m");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->revision(), 2);
  EXPECT_EQ((*second)->description(), "two");
  EXPECT_NE((*second)->digest(), (*first)->digest());
  EXPECT_EQ(models_.Find("m").value(), *second);
  EXPECT_EQ(models_.Find("m", 1).value(), *first);
  ExpectError(models_.Find("m", 3).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
              "has no revision 3 loaded; expected one of 1, 2");
  WriteCounter("m", "one");
  EXPECT_EQ(models_.Load("m").value()->revision(), 3) << "back to what it was is a change too";
}

TEST_F(RepositoryTest, FailedReloadKeepsTheRevisionThatWasThere) {
  WriteCounter("m");
  const auto first = models_.Load("m");
  ASSERT_TRUE(first.ok()) << first.status();
  folder_.Write("m/model.textproto", "colour: 1");
  ExpectError(models_.Load("m").status(), absl::StatusCode::kFailedPrecondition, "MODEL_INVALID", "colour");
  EXPECT_EQ(models_.Find("m").value(), *first);
  EXPECT_EQ(models_.Status("m")->state, ModelState::kFailed);
  EXPECT_EQ(models_.Status("m")->model, *first);
  WriteCounter("m");
  EXPECT_EQ(models_.Load("m").value(), *first);
  EXPECT_EQ(models_.Status("m")->state, ModelState::kReady);
}

TEST_F(RepositoryTest, UnloadLetsRunningStepsFinish) {
  WriteCounter("m");
  auto held = models_.Load("m");
  ASSERT_TRUE(held.ok()) << held.status();
  ASSERT_TRUE(models_.Unload("m").ok());
  EXPECT_EQ(models_.Status("m")->state, ModelState::kUnloading);
  ExpectError(models_.Find("m").status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "is unloaded");
  ExpectError(models_.Unload("m"), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "is not loaded");
  const auto result = (*held)->methods()[0]->Run({Array::Scalar<int32_t>(2)}, {Array::Scalar<int32_t>(1)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->written[0], Array::Scalar<int32_t>(3));
  *held = nullptr;
  ExpectError(models_.Status("m").status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "is not known");
  EXPECT_TRUE(models_.List().empty());
}

TEST_F(RepositoryTest, ReloadAfterUnloadIsTheSameRevisionWhenTheContentIs) {
  WriteCounter("m", "one");
  ASSERT_TRUE(models_.Load("m").ok());
  ASSERT_TRUE(models_.Unload("m").ok());
  EXPECT_EQ(models_.FindStateSpec("m", 1).value()->size(), 1) << "snapshots outlive their models";
  EXPECT_EQ(models_.Load("m").value()->revision(), 1);
  ASSERT_TRUE(models_.Unload("m").ok());
  WriteCounter("m", "two");
  EXPECT_EQ(models_.Load("m").value()->revision(), 2);
  ExpectError(models_.Find("m", 1).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
              "has no revision 1");
  EXPECT_TRUE(models_.FindStateSpec("m", 1).ok());
  EXPECT_EQ(models_.FindDigest("m", 2).value(), models_.Find("m").value()->digest());
  EXPECT_NE(models_.FindDigest("m", 1).value(), models_.FindDigest("m", 2).value());
  ExpectError(models_.FindDigest("m", 3).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
              "never had a revision 3");
  ExpectError(models_.FindStateSpec("m", 3).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
              "never had a revision 3");
}

TEST_F(RepositoryTest, OneRevisionMayBeUnloadedAndTheOthersStay) {
  WriteCounter("m", "one");
  ASSERT_TRUE(models_.Load("m").ok());
  WriteCounter("m", "two");
  ASSERT_TRUE(models_.Load("m").ok());
  EXPECT_EQ(models_.Status("m")->revisions, (std::vector<int64_t>{1, 2}));
  ExpectError(models_.Unload("m", 3), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "expected one of 1, 2");
  ASSERT_TRUE(models_.Unload("m", 2).ok());
  EXPECT_EQ(models_.Find("m").value()->revision(), 1);
  EXPECT_EQ(models_.Load("m").value()->revision(), 2)
      << "its content is that revision's, not the one that is left";
  ASSERT_TRUE(models_.Unload("m", 1).ok());
  ASSERT_TRUE(models_.Unload("m", 2).ok());
  ExpectError(models_.Find("m").status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "is not loaded");
}

TEST_F(RepositoryTest, ContentKeepsItsNumberInAStoreThatRemembersIt) {
  MemoryStore store;
  WriteCounter("m", "one");
  EXPECT_EQ(ModelRepository({.root = folder_.path()}, &store).Load("m").value()->revision(), 1);
  EXPECT_EQ(ModelRepository({.root = folder_.path()}, &store).Load("m").value()->revision(), 1);
  WriteCounter("m", "two");
  EXPECT_EQ(ModelRepository({.root = folder_.path()}, &store).Load("m").value()->revision(), 2);
  WriteCounter("m", "one");
  ModelRepository last({.root = folder_.path()}, &store);
  EXPECT_EQ(last.Load("m").value()->revision(), 1) << "changed back before it was loaded";
  WriteCounter("m", "three");
  EXPECT_EQ(last.Load("m").value()->revision(), 3) << "2 is another's";
  WriteCounter("m", "two");
  EXPECT_EQ(last.Load("m").value()->revision(), 4) << "changed back while a newer one is loaded";
}

TEST_F(RepositoryTest, StateSpecOfAnEarlierProcessIsKnownWithoutItsPackage) {
  MemoryStore store;
  folder_.Write("m/step.onnx", CounterGraph().Bytes());
  folder_.Write("m/model.textproto", kText);
  ASSERT_TRUE(ModelRepository({.root = folder_.path()}, &store).Load("m").ok());
  fs::remove_all(folder_.path() / "m");
  const ModelRepository after({.root = folder_.path()}, &store);
  EXPECT_TRUE(after.List().empty());
  ExpectError(after.Find("m", 1).status(), absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "is not loaded");
  const auto spec = after.FindStateSpec("m", 1);
  ASSERT_TRUE(spec.ok()) << spec.status();
  ASSERT_EQ((*spec)->size(), 1);
  EXPECT_EQ((**spec)[0].tensor.name, "count");
  EXPECT_EQ((**spec)[0].tensor.ToString(), "int32 ()");
}

// A store that cannot do what its fields say.
class FailingStore final : public testing::ForwardingStore {
 public:
  void RecordModelRevision(ModelRevisionRecord record, DoneCallback done) override {
    if (fails_to_record) return std::move(done)(absl::FailedPreconditionError("read-only"));
    ForwardingStore::RecordModelRevision(std::move(record), std::move(done));
  }
  void ReadModelRevisions(Callback<std::vector<ModelRevisionRecord>> done) override {
    if (fails_to_read) return std::move(done)(absl::DataLossError("damaged"));
    ForwardingStore::ReadModelRevisions(std::move(done));
  }

  bool fails_to_record = false;
  bool fails_to_read = false;
};

TEST_F(RepositoryTest, RevisionThatCannotBeRecordedIsNotLoaded) {
  FailingStore store;
  WriteCounter("m");
  ModelRepository models({.root = folder_.path()}, &store);
  store.fails_to_record = true;
  ExpectError(models.Load("m").status(), absl::StatusCode::kFailedPrecondition, "", "read-only");
  EXPECT_FALSE(models.Find("m").ok());
  store.fails_to_record = false;
  EXPECT_EQ(models.Load("m").value()->revision(), 1);
}

TEST_F(RepositoryTest, NothingIsLoadedWithoutTheRevisionsOfTheStore) {
  FailingStore store;
  store.fails_to_read = true;
  WriteCounter("m");
  ModelRepository models({.root = folder_.path()}, &store);
  ExpectError(models.LoadAll(), absl::StatusCode::kDataLoss, "", "damaged");
  ExpectError(models.Load("m").status(), absl::StatusCode::kDataLoss, "", "damaged");
}

TEST_F(RepositoryTest, UnloadForgetsAFailure) {
  folder_.Write("m/model.textproto", "colour: 1");
  ASSERT_FALSE(models_.Load("m").ok());
  ASSERT_TRUE(models_.Unload("m").ok());
  EXPECT_TRUE(models_.List().empty());
}

TEST_F(RepositoryTest, TwoPackagesOfOneNameAreRefused) {
  WriteCounter("m");
  folder_.Write("m.onnx", CounterGraph().Metadata("stepwell.model", kText).Bytes());
  ExpectError(models_.Load("m").status(), absl::StatusCode::kFailedPrecondition, "",
              "has two packages, \"m\" and \"m.onnx\"; expected one");
}

TEST_F(RepositoryTest, LinkOutOfAPackageFailsThatModelAlone) {
  WriteCounter("m");
  WriteCounter("good");
  fs::create_symlink("/etc/passwd", folder_.path() / "m/w\xFF.bin");
  ASSERT_TRUE(models_.LoadAll().ok());
  ExpectError(models_.Status("m")->error, absl::StatusCode::kFailedPrecondition, "",
              "w\\xff.bin: the symbolic link leads out of the package");
  EXPECT_EQ(models_.Status("good")->state, ModelState::kReady);
}

TEST_F(RepositoryTest, LoadHoldsUpNobodyElse) {
  WriteCounter("other");
  folder_.Write("slow/step.onnx", testing::LoadGate::Graph().Bytes());
  folder_.Write("slow/model.textproto", kText);
  ASSERT_TRUE(models_.Load("other").ok());
  testing::LoadGate gate;
  std::thread loader([this] { EXPECT_TRUE(models_.Load("slow").ok()); });
  gate.WaitUntilHeld();
  EXPECT_EQ(models_.Status("slow")->state, ModelState::kLoading);
  ExpectError(models_.Find("slow").status(), absl::StatusCode::kFailedPrecondition, "MODEL_NOT_READY",
              "it is being loaded");
  EXPECT_EQ(models_.List().size(), 2u);
  EXPECT_TRUE(models_.Load("other").ok());
  EXPECT_TRUE(models_.Find("other").ok());
  EXPECT_TRUE(models_.Unload("other").ok());
  std::thread again([this] { EXPECT_TRUE(models_.Load("slow").ok()); });  // Waits, and finds it loaded.
  gate.Open();
  loader.join();
  again.join();
  EXPECT_EQ(models_.Find("slow").value()->revision(), 1);
}

}  // namespace
}  // namespace stepwell
