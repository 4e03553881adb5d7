#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/temp_folder.h"
#include "stepwell/storage/testing/forwarding_store.h"

namespace stepwell {
namespace {

using Kind = ArrayDiff::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A memory store that tells how many arrays were read from it, and can lose them.
class CountingStore final : public testing::ForwardingStore {
 public:
  void ReadArray(Version writer, int position, Callback<Array> done) override {
    ++arrays_read;
    if (is_broken) return std::move(done)(absl::DataLossError("checksum"));
    ForwardingStore::ReadArray(writer, position, std::move(done));
  }

  std::atomic<int> arrays_read = 0;
  std::atomic<bool> is_broken = false;
};

Array Floats(const std::vector<float>& values) {
  return Array::From<float>({static_cast<int64_t>(values.size())}, values).value();
}

// An engine over models whose text each test writes; their method does nothing.
class DiffTest : public ::testing::Test {
 protected:
  explicit DiffTest(const EngineOptions& options = {})
      : models_({.root = folder_.path()}), engine_(options, &store_, &models_, &clock_) {
    Load("m",
         "state { index: \"a.w\" dtype: FLOAT32 shape: [-1] }\n"
         "state { index: \"a.n\" dtype: INT32 }\n"
         "state { index: \"b\" dtype: FLOAT32 shape: [2] }\n");
  }

  void Load(const std::string& model, const std::string& state) {
    testing::GraphBuilder graph;
    graph.Input({"x", DType::kFloat32, {}}).Node("Identity", {"x"}, {"y"}).Output({"y", DType::kFloat32, {}});
    folder_.Write(model + "/step.onnx", graph.Bytes());
    folder_.Write(model + "/model.textproto", absl::StrCat(state, "method { name: \"step\" }"));
    const auto loaded = models_.Load(model);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
  }

  Version Make(const std::string& model, NamedArrays arrays = {}) {
    const auto made = Await(engine_, &Engine::MakeState, {.model = model, .arrays = std::move(arrays)});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? made->snapshot->version() : Version(0);
  }
  Version Set(Version version, const std::string& index, Array array) {
    const auto set = Await(
        engine_, &Engine::SetArrays,
        {.state = version, .arrays = {{IndexPath{index}, std::move(array)}}, .revision = NewestRevision()});
    EXPECT_TRUE(set.ok()) << set.status();
    return set.ok() ? (*set)->version() : Version(0);
  }
  // Of a diff that must succeed.
  std::vector<ArrayDiff> DiffOf(DiffSnapshotsRequest request) { return DiffIn(engine_, std::move(request)); }
  static std::vector<ArrayDiff> DiffIn(Engine& engine, DiffSnapshotsRequest request) {
    const auto diff = Await(engine, &Engine::DiffSnapshots, std::move(request));
    EXPECT_TRUE(diff.ok()) << diff.status();
    return diff.ok() ? diff->arrays : std::vector<ArrayDiff>();
  }
  void ExpectError(DiffSnapshotsRequest request, absl::StatusCode code, const std::string& reason) {
    const absl::Status status = Await(engine_, &Engine::DiffSnapshots, std::move(request)).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(GetErrorInfo(status).reason, reason) << status;
  }

  const SystemClock clock_;
  const testing::TempFolder folder_;
  CountingStore store_;
  ModelRepository models_;
  Engine engine_;
};

std::vector<std::pair<std::string, Kind>> Kinds(const std::vector<ArrayDiff>& diffs) {
  std::vector<std::pair<std::string, Kind>> kinds;
  for (const ArrayDiff& diff : diffs) kinds.emplace_back(diff.index, diff.kind);
  return kinds;
}

std::string TypeText(const std::optional<ArrayType>& type) {
  if (!type.has_value()) return "absent";
  return absl::StrCat(DTypeName(type->dtype), " (", absl::StrJoin(type->dims, ", "), ")");
}

TEST_F(DiffTest, TellsWhatChangedAndHowFar) {
  const Version from = Make("m", {{"a.w", Floats({1, 2, 3, 4})}});
  const Version to = Set(from, "a.w", Floats({1, 2, 1, 5}));
  const auto diff = Await(engine_, &Engine::DiffSnapshots, {.from = from, .to = to});
  ASSERT_TRUE(diff.ok()) << diff.status();
  EXPECT_EQ(diff->from, from);
  EXPECT_EQ(diff->to, to);
  ASSERT_THAT(Kinds(diff->arrays), ElementsAre(std::pair("a.w", Kind::kChanged)));
  EXPECT_EQ(TypeText(diff->arrays[0].from), "float32 (4)");
  EXPECT_EQ(TypeText(diff->arrays[0].to), "float32 (4)");
  EXPECT_EQ(diff->arrays[0].difference->max_abs, 2);
  EXPECT_EQ(diff->arrays[0].difference->mean_abs, 0.75);
}

TEST_F(DiffTest, ListsTheSameOnlyWhenAsked) {
  const Version from = Make("m");
  const Version to = Set(from, "b", Floats({1, 0}));
  EXPECT_THAT(Kinds(DiffOf({.from = from, .to = to})), ElementsAre(std::pair("b", Kind::kChanged)));
  const std::vector<ArrayDiff> all = DiffOf({.from = from, .to = to, .include_same = true});
  EXPECT_THAT(Kinds(all), ElementsAre(std::pair("a.w", Kind::kSame), std::pair("a.n", Kind::kSame),
                                      std::pair("b", Kind::kChanged)));
  EXPECT_EQ(TypeText(all[0].from), "float32 (0)");
  EXPECT_EQ(TypeText(all[0].to), "float32 (0)");
  EXPECT_EQ(all[1].difference->max_abs, 0);
  EXPECT_THAT(DiffOf({.from = to, .to = to}), IsEmpty());
}

TEST_F(DiffTest, OfTwoRootsComparesBytes) {
  const Version from = Make("m", {{"a.w", Floats({1, 2})}, {"b", Floats({3, 4})}});
  const Version to = Make("m", {{"a.w", Floats({1, 2})}, {"b", Floats({3, 5})}});
  EXPECT_THAT(Kinds(DiffOf({.from = from, .to = to})), ElementsAre(std::pair("b", Kind::kChanged)));
}

TEST_F(DiffTest, AnotherShapeIsAChangeWithoutADistance) {
  const Version from = Make("m", {{"a.w", Floats({1, 2})}});
  const Version to = Set(from, "a.w", Floats({1, 2, 3}));
  const std::vector<ArrayDiff> diff = DiffOf({.from = from, .to = to});
  ASSERT_THAT(Kinds(diff), ElementsAre(std::pair("a.w", Kind::kChanged)));
  EXPECT_EQ(TypeText(diff[0].from), "float32 (2)");
  EXPECT_EQ(TypeText(diff[0].to), "float32 (3)");
  EXPECT_FALSE(diff[0].difference.has_value());
}

TEST_F(DiffTest, ChangedMeansThatBytesDiffer) {
  const Version from = Make("m", {{"b", Floats({0.0F, std::nanf("1")})}});
  EXPECT_THAT(DiffOf({.from = from, .to = Set(from, "b", Floats({0.0F, std::nanf("1")}))}), IsEmpty());
  const std::vector<ArrayDiff> zero =
      DiffOf({.from = from, .to = Set(from, "b", Floats({-0.0F, std::nanf("1")}))});
  ASSERT_THAT(Kinds(zero), ElementsAre(std::pair("b", Kind::kChanged)));
  EXPECT_EQ(zero[0].difference->max_abs, 0);
  const std::vector<ArrayDiff> nan = DiffOf({.from = from, .to = Set(from, "b", Floats({0, 1}))});
  EXPECT_TRUE(std::isnan(nan.at(0).difference->max_abs));
  EXPECT_TRUE(std::isnan(nan.at(0).difference->mean_abs));
}

TEST_F(DiffTest, RevisionsAreMatchedByIndex) {
  const Version from = Make("m", {{"a.w", Floats({1})}, {"a.n", Array::Scalar<int32_t>(3)}});
  Load("m",
       "state { index: \"c\" dtype: FLOAT32 shape: [-1] }\n"
       "state { index: \"b\" dtype: FLOAT32 shape: [3] }\n"
       "state { index: \"a.n\" dtype: FLOAT64 constant { value: 3.5 } }\n");
  const Version to = Make("m");
  const std::vector<ArrayDiff> diff = DiffOf({.from = from, .to = to});
  ASSERT_THAT(Kinds(diff), ElementsAre(std::pair("c", Kind::kAdded), std::pair("b", Kind::kChanged),
                                       std::pair("a.n", Kind::kChanged), std::pair("a.w", Kind::kRemoved)));
  EXPECT_EQ(TypeText(diff[0].from), "absent");
  EXPECT_EQ(TypeText(diff[0].to), "float32 (0)");
  EXPECT_FALSE(diff[0].difference.has_value());
  EXPECT_EQ(TypeText(diff[1].to), "float32 (3)");
  EXPECT_FALSE(diff[1].difference.has_value());
  // Another dtype is a change, whose distance can be told.
  EXPECT_EQ(TypeText(diff[2].from), "int32 ()");
  EXPECT_EQ(TypeText(diff[2].to), "float64 ()");
  EXPECT_EQ(diff[2].difference->max_abs, 0.5);
  EXPECT_EQ(TypeText(diff[3].from), "float32 (1)");
  EXPECT_EQ(TypeText(diff[3].to), "absent");
  // A new process has neither snapshot at hand.
  Engine cold({}, &store_, &models_, &clock_);
  EXPECT_EQ(Kinds(DiffIn(cold, {.from = from, .to = to})), Kinds(diff));
}

TEST_F(DiffTest, ModelsAreMatchedByIndexToo) {
  Load("copy", "state { index: \"b\" dtype: FLOAT32 shape: [2] constant { value: 1 } }\n");
  const std::vector<ArrayDiff> diff = DiffOf({.from = Make("copy"), .to = Make("m"), .include_same = true});
  EXPECT_THAT(Kinds(diff), ElementsAre(std::pair("a.w", Kind::kAdded), std::pair("a.n", Kind::kAdded),
                                       std::pair("b", Kind::kChanged)));
  EXPECT_EQ(diff[2].difference->mean_abs, 1);
}

TEST_F(DiffTest, SharedArraysAreNotRead) {
  const Version from = Make("m", {{"a.w", Floats(std::vector<float>(1000))}});
  const Version to = Set(Set(from, "a.n", Array::Scalar<int32_t>(1)), "a.n", Array::Scalar<int32_t>(2));
  // Has nothing in memory.
  Engine cold({}, &store_, &models_, &clock_);
  const int before = store_.arrays_read;
  EXPECT_THAT(Kinds(DiffIn(cold, {.from = from, .to = to})), ElementsAre(std::pair("a.n", Kind::kChanged)));
  EXPECT_EQ(store_.arrays_read, before + 2);
  // Nor where they are listed, though then the state spec must tell what they are.
  const std::vector<ArrayDiff> all = DiffIn(cold, {.from = from, .to = to, .include_same = true});
  EXPECT_EQ(store_.arrays_read, before + 4);
  ASSERT_THAT(Kinds(all), ElementsAre(std::pair("a.w", Kind::kSame), std::pair("a.n", Kind::kChanged),
                                      std::pair("b", Kind::kSame)));
  EXPECT_EQ(TypeText(all[0].from), "float32 (-1)");
  EXPECT_EQ(TypeText(all[0].to), "float32 (-1)");
  EXPECT_EQ(TypeText(all[2].from), "float32 (2)");
  EXPECT_EQ(DiffIn(cold, {.from = to, .to = to, .include_same = true}).size(), 3u);
  EXPECT_EQ(store_.arrays_read, before + 4);
  // What is in memory here is not read again, and tells more.
  EXPECT_EQ(TypeText(DiffOf({.from = from, .to = to, .include_same = true}).at(0).from), "float32 (1000)");
  EXPECT_EQ(store_.arrays_read, before + 4);
}

TEST_F(DiffTest, ArraysThatRevisionsShareAreNotRead) {
  const Version from = Make("m", {{"a.w", Floats(std::vector<float>(1000))}});
  Load("m",
       "description: \"another\"\n"
       "state { index: \"a.w\" dtype: FLOAT32 shape: [1000] }\n"
       "state { index: \"a.n\" dtype: INT32 }\n"
       "state { index: \"b\" dtype: FLOAT32 shape: [2] }\n");
  const Version to = Set(from, "b", Floats({1, 2}));
  Engine cold({}, &store_, &models_, &clock_);
  EXPECT_EQ(Await(cold, &Engine::GetSnapshot, {.state = to})->record->origin->revision, 2);
  const int before = store_.arrays_read;
  const std::vector<ArrayDiff> all = DiffIn(cold, {.from = from, .to = to, .include_same = true});
  EXPECT_EQ(store_.arrays_read, before + 2);
  ASSERT_THAT(Kinds(all), ElementsAre(std::pair("a.w", Kind::kSame), std::pair("a.n", Kind::kSame),
                                      std::pair("b", Kind::kChanged)));
  // The later revision says how many there are.
  EXPECT_EQ(TypeText(all[0].from), "float32 (1000)");
}

TEST_F(DiffTest, ArraysOfOneMemoryAreTheSameWithoutAWorker) {
  // Too large to be compared on this thread, were they not the same memory.
  const Array large = Floats(std::vector<float>(1 << 20));
  const Version from = Make("m", {{"a.w", large}});
  const Version to = Make("m", {{"a.w", large}});
  std::thread::id compared_on;
  engine_.DiffSnapshots({.from = from, .to = to}, [&](const absl::StatusOr<DiffSnapshotsResult>& diff) {
    EXPECT_THAT(diff->arrays, IsEmpty());
    compared_on = std::this_thread::get_id();
  });
  EXPECT_EQ(compared_on, std::this_thread::get_id());
}

TEST_F(DiffTest, LargeArraysAreComparedByAWorker) {
  std::vector<float> values(1 << 20);
  const Version from = Make("m", {{"a.w", Floats(values)}});
  values.back() = -3;
  const Version to = Set(from, "a.w", Floats(values));
  absl::Notification told;
  std::thread::id compared_on;
  engine_.DiffSnapshots({.from = from, .to = to}, [&](const absl::StatusOr<DiffSnapshotsResult>& diff) {
    EXPECT_EQ(diff->arrays.at(0).difference->max_abs, 3);
    compared_on = std::this_thread::get_id();
    told.Notify();
  });
  told.WaitForNotification();
  EXPECT_NE(compared_on, std::this_thread::get_id());
}

TEST_F(DiffTest, ArraysAreChosenByPathPositionAndSubtree) {
  const Version from = Make("m");
  const Version to =
      Make("m", {{"a.w", Floats({1})}, {"a.n", Array::Scalar<int32_t>(1)}, {"b", Floats({1, 1})}});
  const auto chosen = [&](Index index) { return Kinds(DiffOf({.from = from, .to = to, .index = index})); };
  EXPECT_THAT(chosen(IndexPath{"b"}), ElementsAre(std::pair("b", Kind::kChanged)));
  EXPECT_THAT(chosen(IndexPosition{1}), ElementsAre(std::pair("a.n", Kind::kChanged)));
  EXPECT_THAT(chosen(IndexSubtree{"a"}),
              ElementsAre(std::pair("a.w", Kind::kChanged), std::pair("a.n", Kind::kChanged)));
  EXPECT_EQ(chosen(IndexSubtree{""}).size(), 3u);
}

TEST_F(DiffTest, IndexThatOnlyOneSideHasCanBeChosen) {
  Load("other", "state { index: \"b\" dtype: FLOAT32 shape: [2] }\nstate { index: \"c\" dtype: BOOL }\n");
  const Version m = Make("m");
  const Version other = Make("other");
  const auto chosen = [&](Index index) { return Kinds(DiffOf({.from = m, .to = other, .index = index})); };
  EXPECT_THAT(chosen(IndexPath{"c"}), ElementsAre(std::pair("c", Kind::kAdded)));
  EXPECT_THAT(chosen(IndexPath{"a.n"}), ElementsAre(std::pair("a.n", Kind::kRemoved)));
  EXPECT_THAT(chosen(IndexSubtree{"a"}),
              ElementsAre(std::pair("a.w", Kind::kRemoved), std::pair("a.n", Kind::kRemoved)));
  // A position is one of the second's state spec.
  EXPECT_THAT(chosen(IndexPosition{1}), ElementsAre(std::pair("c", Kind::kAdded)));
  ExpectError({.from = m, .to = other, .index = IndexPosition{2}}, absl::StatusCode::kOutOfRange, "");
}

TEST_F(DiffTest, WhatIsNotThereIsNamed) {
  const Version root = Make("m");
  ExpectError({.from = Version(77), .to = root}, absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
  ExpectError({.from = root, .to = Version(77)}, absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
  ExpectError({.from = BranchName{"b"}, .to = root}, absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError({.from = root, .to = BranchName{"b"}}, absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError({.from = root, .to = root, .index = IndexPath{"z"}}, absl::StatusCode::kNotFound,
              "INDEX_NOT_FOUND");
  ExpectError({.from = root, .to = root, .index = IndexSubtree{"z"}}, absl::StatusCode::kNotFound,
              "INDEX_NOT_FOUND");
  ExpectError({.from = root, .to = root, .index = IndexPath{"z z"}}, absl::StatusCode::kInvalidArgument, "");
  ExpectError({.from = root, .to = root, .index = IndexPosition{3}}, absl::StatusCode::kOutOfRange, "");
  ExpectError({.from = root, .to = root, .call = {.deadline = absl::InfinitePast()}},
              absl::StatusCode::kDeadlineExceeded, "");
}

TEST_F(DiffTest, ArrayThatCannotBeReadFailsTheWhole) {
  const Version from = Make("m");
  const Version to = Set(from, "b", Floats({1, 2}));
  Engine cold({}, &store_, &models_, &clock_);
  store_.is_broken = true;
  const auto diff = Await(cold, &Engine::DiffSnapshots, {.from = from, .to = to});
  EXPECT_EQ(diff.status(), absl::DataLossError("checksum"));
}

class DiffWithoutQueueTest : public DiffTest {
 protected:
  DiffWithoutQueueTest() : DiffTest({.worker_threads = 1, .max_queued_calls = 0}) {}
};

TEST_F(DiffWithoutQueueTest, LargeDiffIsRefusedAndASmallOneIsNot) {
  const Version from = Make("m");
  EXPECT_EQ(DiffOf({.from = from, .to = Set(from, "b", Floats({1, 2}))}).size(), 1u);
  const Version large = Make("m", {{"a.w", Floats(std::vector<float>(1 << 20))}});
  ExpectError({.from = large, .to = Set(large, "a.w", Floats(std::vector<float>(1 << 20)))},
              absl::StatusCode::kResourceExhausted, "QUEUE_FULL");
}

}  // namespace
}  // namespace stepwell
