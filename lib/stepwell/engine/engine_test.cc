#include "stepwell/engine/engine.h"

#include <atomic>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/await.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell {
namespace {

class FixedClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'000'000);
};

Array Int(int32_t value) { return Array::Scalar<int32_t>(value); }

void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& reason) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(GetErrorInfo(status).reason, reason) << status;
}

// An engine over the test data's models, in this process.
class EngineTest : public ::testing::Test {
 protected:
  explicit EngineTest(const EngineOptions& options = {})
      : models_({.root = STEPWELL_SOURCE_DIR "/tests/data/equinox"}),
        engine_(options, &store_, &models_, &clock_) {
    EXPECT_TRUE(models_.Load("counter").ok());
    EXPECT_TRUE(models_.Load("batchnorm_batch").ok());
  }

  std::shared_ptr<const Snapshot> Make(const std::string& model,
                                       std::optional<std::string> branch = std::nullopt) {
    const auto made = Await(engine_, &Engine::MakeState, {.model = model, .branch = std::move(branch)});
    EXPECT_TRUE(made.ok()) << made.status();
    return made->snapshot;
  }
  absl::StatusOr<StepResult> Count(StateRef state, int32_t x) {
    return Await(engine_, &Engine::Step, {.state = std::move(state), .inputs = {{"x", Int(x)}}});
  }

  FixedClock clock_;
  MemoryStore store_;
  ModelRepository models_;
  Engine engine_;
};

TEST_F(EngineTest, ExpiredBranchesAreDroppedAndThoseThatLiveLongerAreNot) {
  const auto root = Make("counter");
  const auto is_stored = [this](const std::string& name) {
    bool found = false;
    store_.ReadBranch(name, [&found](const absl::StatusOr<BranchRecord>& branch) { found = branch.ok(); });
    return found;
  };
  const absl::Time soon = clock_.now + absl::Minutes(1);
  for (const char* name : {"brief", "extended", "recreated"}) {
    ASSERT_TRUE(
        Await(engine_, &Engine::CreateBranch, {.name = name, .state = root->version(), .expire_time = soon})
            .ok());
  }
  ASSERT_TRUE(
      Await(engine_, &Engine::UpdateBranch, {.name = "extended", .expire_time = soon + absl::Minutes(1)})
          .ok());
  engine_.DropExpired();
  EXPECT_TRUE(is_stored("brief"));

  clock_.now = soon;
  EXPECT_FALSE(Await(engine_, &Engine::GetBranch, {"brief"}).ok()) << "gone before it is dropped";
  ASSERT_TRUE(Await(engine_, &Engine::CreateBranch, {.name = "recreated", .state = root->version()}).ok());
  engine_.DropExpired();
  EXPECT_FALSE(is_stored("brief"));
  EXPECT_TRUE(is_stored("recreated"));
  EXPECT_TRUE(Await(engine_, &Engine::GetBranch, {"extended"}).ok());

  clock_.now = soon + absl::Minutes(1);
  engine_.DropExpired();
  EXPECT_FALSE(is_stored("extended"));
}

TEST_F(EngineTest, StepRecordsWhereItComesFrom) {
  const auto root = Make("counter");
  const auto stepped = Await(engine_, &Engine::Step,
                             {.state = root->version(), .inputs = {{"x", Int(4)}}, .labels = {{"a", "b"}}});
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  const SnapshotRecord& record = stepped->snapshot->record();
  EXPECT_GT(record.version, root->version());
  EXPECT_EQ(record.parent, root->version());
  EXPECT_EQ(record.origin->model, "counter");
  EXPECT_EQ(record.origin->revision, 1);
  EXPECT_EQ(record.origin->method, "step");
  EXPECT_EQ(record.create_time, clock_.Now());
  EXPECT_EQ(record.step_count, 1);
  EXPECT_EQ(record.state_bytes, 4);
  EXPECT_EQ(record.new_bytes, 4);
  EXPECT_EQ(record.labels->at("a"), "b");
  EXPECT_EQ(stepped->snapshot->arrays()[0], Int(4));
  EXPECT_EQ(root->arrays()[0], Int(0));
}

TEST_F(EngineTest, ArraysThatAStepDoesNotWriteAreShared) {
  const auto root = Make("batchnorm_batch");
  const auto set = Await(engine_, &Engine::SetArrays,
                         {.state = root->version(), .arrays = {{IndexPath{"batch_counter"}, Int(3)}}});
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ((*set)->arrays()[0], Int(3));
  for (size_t i = 1; i < root->arrays().size(); ++i) {
    EXPECT_EQ((*set)->arrays()[i].bytes().data(), root->arrays()[i].bytes().data());
    EXPECT_EQ((*set)->record().writers[i], root->version());
  }
  EXPECT_EQ((*set)->record().new_bytes, 4);
}

TEST_F(EngineTest, EarlierVersionsOutliveManySteps) {
  auto snapshot = Make("counter");
  std::vector<std::shared_ptr<const Snapshot>> history = {snapshot};
  for (int32_t i = 1; i <= 300; ++i) {
    const auto stepped = Count(history.back()->version(), 1);
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    EXPECT_EQ(stepped->outputs.at(0).first, "y");
    history.push_back(stepped->snapshot);
  }
  for (size_t i = 0; i < history.size(); ++i)
    EXPECT_EQ(history[i]->arrays()[0], Int(static_cast<int32_t>(i)));
}

TEST_F(EngineTest, ConcurrentStepsOnABranchMakeOneLine) {
  constexpr int kThreads = 4;
  constexpr int kSteps = 50;
  const auto root = Make("counter", "line");
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      for (int step = 0; step < kSteps; ++step) {
        EXPECT_TRUE(Count(BranchName{"line"}, 1).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  auto head = Await(engine_, &Engine::GetSnapshot, {.state = BranchName{"line"}});
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->record->step_count, kThreads * kSteps);
  for (int i = 0; i < kThreads * kSteps; ++i) {
    head = Await(engine_, &Engine::GetSnapshot, {.state = *head->record->parent});
    ASSERT_TRUE(head.ok()) << head.status();
  }
  EXPECT_EQ(head->record->version, root->version());
}

TEST_F(EngineTest, CancelledStepDoesNotRun) {
  const auto root = Make("counter", "still");
  const auto cancelled = std::make_shared<const std::atomic<bool>>(true);
  for (const StateRef& state : {StateRef(root->version()), StateRef(BranchName{"still"})}) {
    const auto stepped = Await(engine_, &Engine::Step,
                               {.state = state, .inputs = {{"x", Int(1)}}, .call = {.cancelled = cancelled}});
    EXPECT_EQ(stepped.status().code(), absl::StatusCode::kCancelled);
    const auto late =
        Await(engine_, &Engine::Step,
              {.state = state, .inputs = {{"x", Int(1)}}, .call = {.deadline = absl::InfinitePast()}});
    EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
  }
  EXPECT_EQ(Await(engine_, &Engine::GetBranch, {.name = "still"})->head, root->version());
}

TEST_F(EngineTest, SyncIsRefusedWhereNothingIsDurable) {
  const auto root = Make("counter", "sync");
  const auto stepped =
      Await(engine_, &Engine::Step,
            {.state = BranchName{"sync"}, .inputs = {{"x", Int(1)}}, .durability = Durability::kSync});
  ExpectError(stepped.status(), absl::StatusCode::kFailedPrecondition, "DURABILITY_UNAVAILABLE");
  EXPECT_EQ(Await(engine_, &Engine::GetBranch, {.name = "sync"})->head, root->version());
}

TEST_F(EngineTest, OutputsCanBeChosenAndReplyBounded) {
  const auto root = Make("counter");
  const auto too_large = Await(engine_, &Engine::Step,
                               {.state = root->version(), .inputs = {{"x", Int(1)}}, .max_reply_bytes = 3});
  ExpectError(too_large.status(), absl::StatusCode::kResourceExhausted, "REPLY_TOO_LARGE");
  const auto twice = Await(engine_, &Engine::Step,
                           {.state = root->version(), .inputs = {{"x", Int(1)}}, .output_names = {"y", "y"}});
  ASSERT_TRUE(twice.ok()) << twice.status();
  EXPECT_EQ(twice->outputs.size(), 2u);
}

TEST_F(EngineTest, BranchOfAVersionThatIsNotThereIsNotMade) {
  const auto branch = Await(engine_, &Engine::CreateBranch, {.name = "b", .state = Version(77)});
  ExpectError(branch.status(), absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
  ExpectError(Await(engine_, &Engine::GetBranch, {.name = "b"}).status(), absl::StatusCode::kNotFound,
              "BRANCH_NOT_FOUND");
}

class NoWorkersEngineTest : public EngineTest {
 protected:
  // The first run of a method goes to the workers, whose queue has no room here.
  NoWorkersEngineTest() : EngineTest({.worker_threads = 1, .max_queued_calls = 0}) {}
};

TEST_F(NoWorkersEngineTest, FullQueueIsResourceExhausted) {
  const auto root = Make("counter", "full");
  ExpectError(Count(BranchName{"full"}, 1).status(), absl::StatusCode::kResourceExhausted, "QUEUE_FULL");
  EXPECT_EQ(Await(engine_, &Engine::GetBranch, {.name = "full"})->head, root->version());
}

TEST_F(EngineTest, StepThatTheStoreHasNoRoomForMintsNothingAndReadingGoesOn) {
  // Room for a root and one step of the counter.
  MemoryStore small({.max_bytes = 2 * (MemoryStore::kBytesPerSnapshot + 4)});
  Engine engine({}, &small, &models_, &clock_);
  const auto made = Await(engine, &Engine::MakeState, {.model = "counter", .branch = "full"});
  ASSERT_TRUE(made.ok()) << made.status();
  const StepRequest step = {.state = BranchName{"full"}, .inputs = {{"x", Int(1)}}};
  const auto fits = Await(engine, &Engine::Step, step);
  ASSERT_TRUE(fits.ok()) << fits.status();
  ExpectError(Await(engine, &Engine::Step, step).status(), absl::StatusCode::kResourceExhausted,
              "MEMORY_LIMIT");
  EXPECT_EQ(Await(engine, &Engine::GetBranch, {.name = "full"})->head, fits->snapshot->version());
  EXPECT_EQ(Await(engine, &Engine::GetArrays, {.state = BranchName{"full"}})->arrays[0].second, Int(1));
}

}  // namespace
}  // namespace stepwell
