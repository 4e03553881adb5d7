// State that grows: what is appended is stored alone, and everybody sees whole arrays.
#include "stepwell/engine/growth.h"

#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/temp_folder.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// What one row of `log` and one `count` take.
constexpr int64_t kRowBytes = 8, kCountBytes = 4;

// Rows of `log`: (first, -first), (first + 1, -first - 1), …
Array LogRows(int64_t rows, float first) {
  std::vector<float> elements;
  for (int64_t i = 0; i < rows; ++i) {
    elements.push_back(first + static_cast<float>(i));
    elements.push_back(-elements.back());
  }
  return Array::From<float>({rows, 2}, elements).value();
}

// A model with a `log` of rows of two and a `count`. Methods: `step` appends its input x to the log, adds one
// to the count, and answers with the sum of the log before; `count` adds one to the count and leaves the log;
// `replace` makes x the log.
class GrowthTest : public ::testing::Test {
 protected:
  GrowthTest() : models_({.root = folder_.path()}) {
    const std::vector<Dim> rows = {{Dim::kDynamic, "n"}, {2, ""}};
    const std::vector<Dim> log = {{Dim::kDynamic, "m"}, {2, ""}};
    const auto counting = [] {
      testing::GraphBuilder graph;
      graph.Input({"count", DType::kInt32, {}})
          .Initializer("one", Array::Scalar<int32_t>(1))
          .Node("Add", {"count", "one"}, {"count.next"})
          .Output({"count.next", DType::kInt32, {}});
      return graph;
    };
    testing::GraphBuilder step = counting();
    step.Input({"x", DType::kFloat32, rows})
        .Input({"log", DType::kFloat32, log})
        .Initializer("double", Array::Scalar<float>(2))
        .Node("Add", {"x", "x"}, {"twice"})
        .Node("Div", {"twice", "double"}, {"log.append"})
        .Node("Abs", {"log"}, {"sizes"})
        .Node("ReduceSum", {"sizes"}, {"sum"})
        .Output({"sum", DType::kFloat32, {{1}, {1}}})
        .Output({"log.append", DType::kFloat32, rows});
    testing::GraphBuilder replace;
    replace.Input({"x", DType::kFloat32, rows})
        .Node("Identity", {"x"}, {"log.next"})
        .Output({"log.next", DType::kFloat32, rows});
    folder_.Write("m/step.onnx", step.Bytes());
    folder_.Write("m/count.onnx", counting().Bytes());
    folder_.Write("m/replace.onnx", replace.Bytes());
    folder_.Write("m/model.textproto",
                  "state { index: \"log\" dtype: FLOAT32 shape: [-1, 2] }\n"
                  "state { index: \"count\" dtype: INT32 }\n"
                  "method { name: \"step\" } method { name: \"count\" } method { name: \"replace\" }");
    const auto loaded = models_.Load("m");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    engine_ = NewEngine();
  }

  // One that shares nothing with another but the store. A method runs where it is called, whatever it takes.
  std::unique_ptr<Engine> NewEngine(size_t max_cached_snapshots = 4096) {
    return std::make_unique<Engine>(
        EngineOptions{.inline_limit = absl::InfiniteDuration(), .max_cached_snapshots = max_cached_snapshots},
        &store_, &models_, &clock_);
  }

  Version Make() {
    const auto made = Await(*engine_, &Engine::MakeState, {.model = "m"});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? made->snapshot->version() : Version(0);
  }
  // What `request` makes; it must.
  std::shared_ptr<const Snapshot> Step(StepRequest request) {
    auto stepped = Await(*engine_, &Engine::Step, std::move(request));
    EXPECT_TRUE(stepped.ok()) << stepped.status();
    if (!stepped.ok()) return nullptr;
    sum_ = stepped->outputs.empty() ? 0 : stepped->outputs[0].second.As<float>().value()[0];
    return stepped->snapshot;
  }
  std::shared_ptr<const Snapshot> Append(StateRef state, const Array& rows) {
    return Step({.state = std::move(state), .inputs = {{"x", rows}}});
  }
  static Array Log(Engine& engine, Version version) {
    const auto read =
        Await(engine, &Engine::GetArrays, {.state = version, .selectors = {{IndexPath{"log"}, {}}}});
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? read->arrays[0].second : Array();
  }
  // That the log under `version` is `rows` rows from 0 on, for this engine and for one that must read them.
  void ExpectLog(Version version, const Array& log) {
    EXPECT_EQ(Log(*engine_, version), log);
    EXPECT_EQ(Log(*NewEngine(), version), log);
  }

  testing::TempFolder folder_;
  const SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_;
  std::unique_ptr<Engine> engine_;
  float sum_ = 0;  // That the last step answered.
};

TEST_F(GrowthTest, VersionStoresItsRowsAloneAndIsReadWhole) {
  const Version root = Make();
  const auto one = Append(root, LogRows(1, 0));
  const auto two = Append(one->version(), LogRows(3, 1));
  EXPECT_EQ(sum_, 0);
  EXPECT_EQ(two->record().new_bytes, 3 * kRowBytes + kCountBytes);
  EXPECT_EQ(two->record().state_bytes, 4 * kRowBytes + kCountBytes);
  EXPECT_EQ(two->record().writers[0], two->version());
  ASSERT_NE(two->record().chains.Find(0), nullptr);
  EXPECT_EQ(two->record().chains.Find(0)->first, root);
  EXPECT_EQ(two->record().chains.Find(0)->previous, one->version());
  EXPECT_EQ(two->record().chains.Find(1), nullptr);
  EXPECT_EQ(two->arrays()[0], LogRows(4, 0));
  EXPECT_EQ(two->arrays()[0].bytes().data(),
            Append(two->version(), LogRows(1, 4))->arrays()[0].bytes().data())
      << "nothing is copied where there is room";
  EXPECT_EQ(sum_, 12) << "the graph reads the whole array";
  ExpectLog(root, LogRows(0, 0));
  ExpectLog(one->version(), LogRows(1, 0));
  ExpectLog(two->version(), LogRows(4, 0));
}

TEST_F(GrowthTest, ThousandVersionsCostTheirDeltas) {
  constexpr int64_t kSteps = 1000;
  const int64_t expected = (kSteps + 1) * (MemoryStore::kBytesPerSnapshot + kCountBytes) + kSteps * kRowBytes;
  MemoryStore store({.max_bytes = expected});
  Engine engine({.inline_limit = absl::InfiniteDuration()}, &store, &models_, &clock_);
  const auto made = Await(engine, &Engine::MakeState, {.model = "m", .branch = "live"});
  ASSERT_TRUE(made.ok()) << made.status();
  const StepRequest step{.state = BranchName{"live"}, .inputs = {{"x", LogRows(1, 0)}}};
  for (int64_t i = 0; i < kSteps; ++i) {
    const auto stepped = Await(engine, &Engine::Step, step);
    ASSERT_TRUE(stepped.ok()) << i << ": " << stepped.status();
    ASSERT_EQ(stepped->snapshot->record().new_bytes, kRowBytes + kCountBytes);
  }
  EXPECT_EQ(GetErrorInfo(Await(engine, &Engine::Step, step).status()).reason, "MEMORY_LIMIT");
}

// With a cache of 16 snapshots, a fork has to be read from its rows; with the large one, it copies what it
// shares with the straight run.
TEST_F(GrowthTest, ForkInTheMiddleIsAsTheStraightRun) {
  for (const size_t cached : {size_t{1}, size_t{4096}}) {
    SCOPED_TRACE(cached);
    engine_ = NewEngine(cached);
    Version version = Make();
    std::vector<float> sums;
    std::optional<Version> middle;
    for (int i = 0; i < 1000; ++i) {
      if (i == 500) middle = version;
      version = Append(version, LogRows(1, static_cast<float>(i)))->version();
      sums.push_back(sum_);
    }
    for (int fork = 0; fork < 3; ++fork) {
      Version at = *middle;
      for (int i = 500; i < 1000; ++i) {
        at = Append(at, LogRows(1, static_cast<float>(i)))->version();
        ASSERT_EQ(sum_, sums[static_cast<size_t>(i)]) << fork << ", step " << i;
      }
      ExpectLog(at, LogRows(1000, 0));
    }
    ExpectLog(version, LogRows(1000, 0));
    ExpectLog(*middle, LogRows(500, 0));
  }
}

TEST_F(GrowthTest, ForksThatRaceKeepTheirOwnRows) {
  constexpr int kThreads = 4, kSteps = 50;
  const Version base = Append(Make(), LogRows(100, 0))->version();
  std::vector<Version> ends(kThreads, base);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kSteps; ++i) {
        const auto stepped = Await(*engine_, &Engine::Step,
                                   {.state = ends[static_cast<size_t>(t)],
                                    .inputs = {{"x", LogRows(1, static_cast<float>(1000 * (t + 1) + i))}}});
        ASSERT_TRUE(stepped.ok()) << stepped.status();
        ends[static_cast<size_t>(t)] = stepped->snapshot->version();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) {
    std::vector<float> expected;
    for (const Array& part : {LogRows(100, 0), LogRows(kSteps, static_cast<float>(1000 * (t + 1)))}) {
      const absl::Span<const float> elements = part.As<float>().value();
      expected.insert(expected.end(), elements.begin(), elements.end());
    }
    ExpectLog(ends[static_cast<size_t>(t)], Array::From<float>({100 + kSteps, 2}, expected).value());
  }
}

TEST_F(GrowthTest, MethodThatDoesNotAppendKeepsTheChain) {
  const auto appended = Append(Make(), LogRows(2, 0));
  const auto counted = Step({.state = appended->version(), .method = "count"});
  EXPECT_EQ(counted->record().new_bytes, kCountBytes);
  EXPECT_EQ(counted->record().writers[0], appended->version());
  const auto more = Append(counted->version(), LogRows(1, 2));
  EXPECT_EQ(more->record().chains.Find(0)->previous, appended->version());
  ExpectLog(counted->version(), LogRows(2, 0));
  ExpectLog(more->version(), LogRows(3, 0));
}

TEST_F(GrowthTest, ArrayThatIsWrittenWholeBeginsAnew) {
  const auto appended = Append(Append(Make(), LogRows(2, 0))->version(), LogRows(1, 2));
  const auto set = Await(*engine_, &Engine::SetArrays,
                         {.state = appended->version(), .arrays = {{IndexPath{"log"}, LogRows(5, 0)}}});
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_TRUE((*set)->record().chains.empty());
  EXPECT_EQ((*set)->record().new_bytes, 5 * kRowBytes);
  const auto after_set = Append((*set)->version(), LogRows(1, 5));
  EXPECT_EQ(after_set->record().chains.Find(0)->first, (*set)->version());
  ExpectLog(after_set->version(), LogRows(6, 0));

  const auto replaced =
      Step({.state = appended->version(), .method = "replace", .inputs = {{"x", LogRows(1, 7)}}});
  EXPECT_TRUE(replaced->record().chains.empty());
  ExpectLog(replaced->version(), LogRows(1, 7));
  ExpectLog(appended->version(), LogRows(3, 0));
}

TEST_F(GrowthTest, AppendOfNoRowsIsAVersionOfTheSameArray) {
  const auto two = Append(Make(), LogRows(2, 0));
  const auto same = Append(two->version(), LogRows(0, 0));
  EXPECT_EQ(same->record().new_bytes, kCountBytes);
  ExpectLog(same->version(), LogRows(2, 0));
  ExpectLog(Append(same->version(), LogRows(1, 2))->version(), LogRows(3, 0));
}

TEST_F(GrowthTest, StepThatIsNotKeptTakesNoRoom) {
  const auto base = Append(Append(Make(), LogRows(4, 0))->version(), LogRows(1, 4));
  const StepRequest look{.state = base->version(), .inputs = {{"x", LogRows(1, 100)}}, .keep = false};
  Step(look);
  EXPECT_EQ(Append(base->version(), LogRows(1, 5))->arrays()[0].bytes().data(),
            base->arrays()[0].bytes().data());
  StepRequest fetching = look;
  fetching.fetch = {{IndexPath{"log"}, {Slice{.start = 4}}}};
  const auto fetched = Await(*engine_, &Engine::Step, fetching);
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_THAT(fetched->fetched[0].second.As<float>().value(), ElementsAre(4, -4, 100, -100));
}

TEST_F(GrowthTest, ScanKeepsTheRowsOfStepsThatAreNotKept) {
  const auto base = Append(Make(), LogRows(2, 0));
  std::vector<float> elements;
  for (int i = 2; i < 12; ++i)
    elements.insert(elements.end(), {static_cast<float>(i), -static_cast<float>(i)});
  const Array inputs = Array::From<float>({10, 1, 2}, elements).value();
  for (const int64_t keep_every : {0, 1, 4}) {
    SCOPED_TRACE(keep_every);
    const auto scanned = Await(*engine_, &Engine::Scan,
                               {.state = base->version(),
                                .inputs = {{"x", inputs}},
                                .keep_every = keep_every,
                                .fetch = {{IndexPath{"log"}, {}}}});
    ASSERT_TRUE(scanned.ok()) << scanned.status();
    EXPECT_EQ(scanned->fetched[0].second, LogRows(12, 0));
    const absl::Span<const float> sums = scanned->outputs[0].second.As<float>().value();
    EXPECT_EQ(sums.back(), 2 * (10 * 11) / 2);
    int64_t rows = 2;
    for (const Version version : scanned->versions) {
      const auto info = Await(*engine_, &Engine::GetSnapshot, {version});
      ASSERT_TRUE(info.ok()) << info.status();
      const int64_t added = keep_every == 0 ? 10 : std::min(keep_every, 12 - rows);
      EXPECT_EQ(info->record->new_bytes, added * kRowBytes + kCountBytes);
      rows += added;
      ExpectLog(version, LogRows(rows, 0));
    }
    EXPECT_EQ(rows, 12);
  }
}

TEST_F(GrowthTest, RepeatIsAnsweredAsTheFirst) {
  const auto base = Append(Make(), LogRows(2, 0));
  const StepRequest request{.state = base->version(),
                            .inputs = {{"x", LogRows(1, 2)}},
                            .fetch = {{IndexPath{"log"}, {}}},
                            .request_id = "once"};
  const auto first = Await(*engine_, &Engine::Step, request);
  const auto again = Await(*NewEngine(), &Engine::Step, request);
  ASSERT_TRUE(first.ok() && again.ok()) << first.status() << again.status();
  EXPECT_EQ(again->snapshot->version(), first->snapshot->version());
  EXPECT_EQ(again->fetched[0].second, LogRows(3, 0));
  EXPECT_EQ(again->outputs[0].second, first->outputs[0].second);
}

TEST_F(GrowthTest, BatchStepGrowsEachState) {
  const auto base = Append(Make(), LogRows(2, 0));
  BatchStepRequest request;
  for (const float first : {2.F, 2.F, 7.F}) {
    request.steps.push_back({.state = base->version(), .inputs = {{"x", LogRows(1, first)}}});
  }
  const auto stepped = Await(*engine_, &Engine::BatchStep, request);
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  ExpectLog(stepped->results[0]->snapshot->version(), LogRows(3, 0));
  ExpectLog(stepped->results[1]->snapshot->version(), LogRows(3, 0));
  EXPECT_THAT(Log(*engine_, stepped->results[2]->snapshot->version()).As<float>().value(),
              ElementsAre(0, 0, 1, -1, 7, -7));
}

TEST_F(GrowthTest, FiniteGuardLooksAtNewRowsAndTellsWhereTheyWouldBe) {
  const Array nan =
      Array::From<float>({1, 2}, std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}).value();
  const auto base = Append(Append(Make(), nan)->version(), LogRows(2, 0));
  StepRequest request{.state = base->version(), .inputs = {{"x", LogRows(1, 0)}}, .check_finite = true};
  EXPECT_TRUE(Await(*engine_, &Engine::Step, request).ok()) << "what was there before is not this step's";
  request.inputs[0].second = nan;
  const ErrorInfo info = GetErrorInfo(Await(*engine_, &Engine::Step, request).status());
  EXPECT_EQ(info.reason, "NON_FINITE");
  EXPECT_THAT(info.metadata, ::testing::Contains(Pair("position", "[3, 1]")));
}

TEST_F(GrowthTest, DiffSeesWholeArrays) {
  const auto base = Append(Make(), LogRows(3, 0));
  const auto one = Append(base->version(), LogRows(1, 3));
  const auto other = Append(base->version(), LogRows(1, 5));
  const std::unique_ptr<Engine> reading = NewEngine();
  const auto diff = Await(*reading, &Engine::DiffSnapshots, {.from = one->version(), .to = other->version()});
  ASSERT_TRUE(diff.ok()) << diff.status();
  ASSERT_EQ(diff->arrays.size(), 1u);
  EXPECT_EQ(diff->arrays[0].index, "log");
  EXPECT_THAT(diff->arrays[0].to->dims, ElementsAre(4, 2));
  EXPECT_EQ(diff->arrays[0].difference->max_abs, 2);
  const auto grown = Await(*reading, &Engine::DiffSnapshots, {.from = base->version(), .to = one->version()});
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_THAT(grown->arrays[0].from->dims, ElementsAre(3, 2));
  EXPECT_THAT(grown->arrays[0].to->dims, ElementsAre(4, 2));
}

TEST_F(GrowthTest, DimensionThatAPlainWriteChangesMayGrowAndShrink) {
  Version version = Make();
  for (const int64_t rows : {3, 0, 7, 1}) {
    const auto replaced = Step({.state = version, .method = "replace", .inputs = {{"x", LogRows(rows, 1)}}});
    EXPECT_EQ(replaced->record().new_bytes, rows * kRowBytes);
    EXPECT_EQ(replaced->record().state_bytes, rows * kRowBytes + kCountBytes);
    version = replaced->version();
    ExpectLog(version, LogRows(rows, 1));
  }
}

}  // namespace
}  // namespace stepwell
