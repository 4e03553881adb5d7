// A clock that runs backwards, or jumps by a year: what is asked of it is answered by it, and nothing else.
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/memory_store.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/fault_report.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;

constexpr absl::Duration kYear = absl::Hours(24 * 365);

class WrongClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'000'000'000);
};

class EngineClockTest : public ::testing::TestWithParam<bool> {
 protected:
  EngineClockTest() {
    EXPECT_TRUE(models_.Load("counter").ok());
    Start();
  }

  bool is_on_disk() const { return GetParam(); }

  void Start() {
    engine_.reset();
    store_.reset();
    if (is_on_disk()) {
      store_ = RocksDbStore::Open({.path = directory_.path()}).value();
    } else {
      store_ = std::make_unique<MemoryStore>();
    }
    engine_ = std::make_unique<Engine>(
        EngineOptions{.retention = {.policy = {.max_age = absl::Hours(1)}, .min_age = absl::Minutes(1)}},
        store_.get(), &models_, &clock_);
  }

  Version Make(const std::string& branch) {
    const auto made = Await(*engine_, &Engine::MakeState, {.model = "counter", .branch = branch});
    EXPECT_TRUE(made.ok()) << made.status();
    return made->snapshot->version();
  }
  Version Add(const std::string& branch, const std::string& request_id = "") {
    StepRequest request{.state = BranchName{branch}, .inputs = {{"x", Array::Scalar<int32_t>(1)}}};
    request.request_id = request_id;
    const auto stepped = Await(*engine_, &Engine::Step, std::move(request));
    EXPECT_TRUE(stepped.ok()) << stepped.status();
    return stepped->snapshot->version();
  }
  int32_t CountOf(const std::string& branch) {
    const auto read = Await(*engine_, &Engine::GetArrays, {.state = BranchName{branch}});
    EXPECT_TRUE(read.ok()) << read.status();
    return read->arrays.at(0).second.As<int32_t>().value()[0];
  }
  std::vector<Version> List(ListSnapshotsRequest request) {
    request.limit = 2;
    std::vector<Version> versions;
    do {
      const auto page = Await(*engine_, &Engine::ListSnapshots, request);
      EXPECT_TRUE(page.ok()) << page.status();
      for (const SnapshotInfo& info : page->snapshots) versions.push_back(info.record->version);
      request.after = page->next_after;
      clock_.now -= absl::Hours(1);  // Between pages, too.
    } while (request.after.has_value());
    return versions;
  }
  void RunSweep() {
    absl::StatusOr<absl::Duration> pause;
    do {
      pause = engine_->Retain();
      ASSERT_TRUE(pause.ok()) << pause.status();
    } while (*pause < RetentionOptions().pause);
  }
  absl::Status StatusOf(const std::string& branch) {
    return Await(*engine_, &Engine::GetBranch, {.name = branch}).status();
  }

  testing::TemporaryDirectory directory_;
  WrongClock clock_;
  ModelRepository models_{{.root = STEPWELL_SOURCE_DIR "/tests/data/equinox"}};
  std::unique_ptr<Store> store_;
  std::unique_ptr<Engine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Store, EngineClockTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "OnDisk" : "InMemory"; });

TEST_P(EngineClockTest, HistoryIsInTheOrderOfVersionsWhenTheClockRunsBackwards) {
  const absl::Time start = clock_.now;
  testing::FaultReport report("the clock runs backwards, an hour with each step");
  std::vector<Version> line = {Make("live")};
  for (int i = 1; i <= 4; ++i) {
    clock_.now -= absl::Hours(1);
    line.push_back(Add("live"));
    report.Got("steps", absl::OkStatus(), "");
    report.Found(CountOf("live") == i);
  }
  EXPECT_EQ(CountOf("live"), 4);
  EXPECT_THAT(List({.of = StateRef(BranchName{"live"})}),
              ElementsAre(line[4], line[3], line[2], line[1], line[0]));
  EXPECT_THAT(List({.of = ListSnapshotsRequest::Model{"counter"}}),
              ElementsAre(line[4], line[3], line[2], line[1], line[0]));
  // By the time that each was given, wherever its neighbours are.
  EXPECT_THAT(List({.of = StateRef(BranchName{"live"}),
                    .begin_time = start - absl::Hours(2),
                    .end_time = start - absl::Minutes(1)}),
              ElementsAre(line[2], line[1]));
}

TEST_P(EngineClockTest, RequestIsDoneOnceWhenTheClockJumpsBack) {
  testing::FaultReport report("the clock jumps back by a year");
  Make("live");
  const Version once = Add("live", "once");
  clock_.now -= kYear;
  const Version again = Add("live", "once");
  EXPECT_EQ(again, once);
  report.Got("repeats of a request", absl::OkStatus(),
             again == once ? "the same version" : "another version");
  EXPECT_EQ(CountOf("live"), 1);
  report.Found(CountOf("live") == 1);
}

// What was done while the clock was ahead has the latest time of all, and must not make what came after it
// old.
TEST_P(EngineClockTest, RequestAfterTheClockWasAheadIsDoneOnceAlsoAfterARestart) {
  testing::FaultReport report("the clock is ahead by a year, and back");
  Make("live");
  clock_.now += kYear;
  const Version ahead = Add("live", "ahead");
  clock_.now -= kYear;
  const Version after = Add("live", "after");
  for (int i = 0; i < 2; ++i) {
    const bool is_same = Add("live", "ahead") == ahead && Add("live", "after") == after;
    EXPECT_TRUE(is_same);
    report.Got("repeats of requests", absl::OkStatus(), is_same ? "the same version" : "another version");
    EXPECT_EQ(CountOf("live"), 2);
    report.Found(CountOf("live") == 2);
    if (!is_on_disk()) return;
    Start();
  }
}

TEST_P(EngineClockTest, BranchExpiresByTheClockAndIsGoneOnceItWasDropped) {
  const Version root = Make("live");
  ASSERT_TRUE(Await(*engine_, &Engine::CreateBranch,
                    {.name = "brief", .state = root, .expire_time = clock_.now + absl::Hours(1)})
                  .ok());
  clock_.now += kYear;
  EXPECT_EQ(GetErrorInfo(StatusOf("brief")).reason, "BRANCH_NOT_FOUND");
  clock_.now -= kYear;
  EXPECT_TRUE(StatusOf("brief").ok()) << "nobody has dropped it";
  clock_.now -= kYear;
  engine_->DropExpired();
  EXPECT_TRUE(StatusOf("brief").ok());
  clock_.now += 2 * kYear;
  engine_->DropExpired();
  clock_.now -= kYear;
  EXPECT_EQ(GetErrorInfo(StatusOf("brief")).reason, "BRANCH_NOT_FOUND");
  EXPECT_TRUE(StatusOf("live").ok());
}

TEST_P(EngineClockTest, RetentionDropsNothingYoungWhenTheClockRunsBackwards) {
  const absl::Time start = clock_.now;
  std::vector<Version> line = {Make("live")};
  for (int i = 0; i < 4; ++i) line.push_back(Add("live"));
  const auto left = [this] {
    clock_.now += absl::Hours(9);  // Which List takes away again, page after page.
    return List({.of = StateRef(BranchName{"live"})});
  };
  clock_.now = start - kYear;
  RunSweep();
  EXPECT_EQ(left().size(), 5u);
  clock_.now = start;
  RunSweep();
  EXPECT_EQ(left().size(), 5u);
  // Ahead, they are old: that is for good. Heads and roots are kept at any age.
  clock_.now = start + kYear;
  RunSweep();
  EXPECT_THAT(left(), ElementsAre(line[4], line[0]));
  clock_.now = start;
  EXPECT_EQ(CountOf("live"), 4);
  Add("live");
  EXPECT_EQ(CountOf("live"), 5);
}

}  // namespace
}  // namespace stepwell
