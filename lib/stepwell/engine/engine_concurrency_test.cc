// Many threads, every call at once: what the thread sanitizer is to see.
#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell {
namespace {

constexpr int kThreads = 8;
constexpr int kRounds = 40;

class EngineConcurrencyTest : public ::testing::Test {
 protected:
  EngineConcurrencyTest()
      : models_({.root = STEPWELL_SOURCE_DIR "/tests/data/equinox"}),
        // A small cache, so that snapshots leave it and come back while others step them.
        engine_({.max_cached_snapshots = 16, .max_cached_bytes = 40, .version_block = 8}, &store_, &models_,
                &clock_) {
    EXPECT_TRUE(models_.Load("counter").ok());
  }

  // Runs `work` with 0, 1, … on a thread each.
  template <typename Work>
  static void OnThreads(Work work) {
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
    for (std::thread& thread : threads) thread.join();
  }

  absl::StatusOr<StepResult> Add(StateRef state, int32_t x) {
    return Await(engine_, &Engine::Step,
                 {.state = std::move(state), .inputs = {{"x", Array::Scalar<int32_t>(x)}}});
  }
  int32_t Count(StateRef state) {
    const auto read = Await(engine_, &Engine::GetArrays, {.state = std::move(state)});
    return read.ok() ? read->arrays.at(0).second.As<int32_t>().value()[0] : -1;
  }

  SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_;
  Engine engine_;
};

TEST_F(EngineConcurrencyTest, MixedCallsKeepEveryVersionAsItWas) {
  const auto shared = Await(engine_, &Engine::MakeState, {.model = "counter", .branch = "shared"});
  ASSERT_TRUE(shared.ok()) << shared.status();
  std::atomic<int> shared_steps = 0;
  OnThreads([&](int t) {
    const std::string own = absl::StrCat("own", t);
    const auto made = Await(engine_, &Engine::MakeState, {.model = "counter", .branch = own});
    ASSERT_TRUE(made.ok()) << made.status();
    std::vector<Version> line = {made->snapshot->version()};
    for (int i = 0; i < kRounds; ++i) {
      const auto stepped = Add(BranchName{own}, 1);
      ASSERT_TRUE(stepped.ok()) << stepped.status();
      line.push_back(stepped->snapshot->version());
      shared_steps += Add(BranchName{"shared"}, 1).ok() ? 1 : 0;
      // A fork from a version that others may have pushed out of the cache.
      const Version old = line[static_cast<size_t>(i / 2)];
      const auto fork = Add(old, 1000);
      ASSERT_TRUE(fork.ok()) << fork.status();
      EXPECT_EQ(Count(fork->snapshot->version()), i / 2 + 1000);
      const auto set = Await(engine_, &Engine::SetArrays,
                             {.state = old, .arrays = {{IndexPath{"count"}, Array::Scalar<int32_t>(-i)}}});
      ASSERT_TRUE(set.ok()) << set.status();
      EXPECT_EQ(Count((*set)->version()), -i);
      const auto diff = Await(engine_, &Engine::DiffSnapshots,
                              {.from = fork->snapshot->version(), .to = line.back(), .include_same = true});
      ASSERT_TRUE(diff.ok()) << diff.status();
      EXPECT_EQ(diff->arrays.at(0).difference->max_abs, 1000 + i / 2 - (i + 1));
      ASSERT_TRUE(
          Await(engine_, &Engine::CreateBranch, {.name = absl::StrCat(own, "/", i), .state = old}).ok());
    }
    for (size_t i = 0; i < line.size(); ++i) EXPECT_EQ(Count(line[i]), static_cast<int32_t>(i));
  });
  EXPECT_EQ(shared_steps, kThreads * kRounds);
  EXPECT_EQ(Count(BranchName{"shared"}), kThreads * kRounds);
}

TEST_F(EngineConcurrencyTest, ModelsLoadAndUnloadUnderSteps) {
  const auto made = Await(engine_, &Engine::MakeState, {.model = "counter"});
  ASSERT_TRUE(made.ok()) << made.status();
  const Version root = made->snapshot->version();
  std::atomic<bool> reloaded = false;
  OnThreads([&](int t) {
    if (t == 0) {
      for (int i = 0; i < kRounds; ++i) {
        EXPECT_TRUE(models_.Unload("counter").ok());
        EXPECT_TRUE(models_.Load("counter").ok());
        const auto result = Add(root, i);  // Nobody else unloads.
        // The same content is the same revision.
        EXPECT_TRUE(result.ok() && result->snapshot->record().origin->revision == 1) << result.status();
      }
      reloaded = true;
    }
    while (!reloaded) {
      const auto result = Add(root, t);
      if (result.ok()) {
        EXPECT_EQ(Count(result->snapshot->version()), t);
      } else {  // Between the unload and the load, or while it loads.
        EXPECT_TRUE(absl::IsNotFound(result.status()) || absl::IsFailedPrecondition(result.status()))
            << result.status();
      }
    }
  });
}

// Batches that want the same branches in other orders, beside steps on each: every turn comes round.
TEST_F(EngineConcurrencyTest, BatchesOfTheSameBranchesAllEnd) {
  const std::vector<std::string> branches = {"a", "b", "c"};
  for (const std::string& name : branches) {
    ASSERT_TRUE(Await(engine_, &Engine::MakeState, {.model = "counter", .branch = name}).ok());
  }
  OnThreads([&](int t) {
    for (int i = 0; i < kRounds; ++i) {
      BatchStepRequest request{.all_or_nothing = t % 2 == 0};
      for (size_t k = 0; k < branches.size(); ++k) {
        const size_t at = (k + static_cast<size_t>(t)) % branches.size();
        request.steps.push_back(
            {.state = BranchName{branches[at]}, .inputs = {{"x", Array::Scalar<int32_t>(1)}}});
      }
      const auto batch = Await(engine_, &Engine::BatchStep, request);
      ASSERT_TRUE(batch.ok()) << batch.status();
      for (const auto& result : batch->results) EXPECT_TRUE(result.ok()) << result.status();
      const auto alone = Add(BranchName{branches[static_cast<size_t>(i) % branches.size()]}, 0);
      EXPECT_TRUE(alone.ok()) << alone.status();
    }
  });
  for (const std::string& name : branches) EXPECT_EQ(Count(BranchName{name}), kThreads * kRounds);
}

TEST_F(EngineConcurrencyTest, DestructorWaitsForCallsUnderWay) {
  constexpr int kCalls = 500;
  absl::BlockingCounter answered(kCalls);
  {
    Engine engine({}, &store_, &models_, &clock_);
    const auto made = Await(engine, &Engine::MakeState, {.model = "counter", .branch = "leaving"});
    ASSERT_TRUE(made.ok()) << made.status();
    for (int i = 0; i < kCalls; ++i) {
      engine.Step({.state = BranchName{"leaving"}, .inputs = {{"x", Array::Scalar<int32_t>(1)}}},
                  [&answered](const absl::StatusOr<StepResult>& result) {
                    EXPECT_TRUE(result.ok()) << result.status();
                    answered.DecrementCount();
                  });
    }
  }
  answered.Wait();
  EXPECT_EQ(Count(BranchName{"leaving"}), kCalls);
}

}  // namespace
}  // namespace stepwell
