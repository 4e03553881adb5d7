// Which steps run together, told by a model that answers with how many do.
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
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

using ::testing::Each;
using ::testing::ElementsAre;

// A counter of int64 scalars whose output `together` is the number of steps in its run.
testing::GraphBuilder TellingCounter() {
  const std::vector<Dim> dims = {{Dim::kDynamic, "batch"}};
  testing::GraphBuilder graph;
  graph.Input({"count", DType::kInt64, dims})
      .Input({"x", DType::kInt64, dims})
      .Node("Add", {"count", "x"}, {"count.next"})
      .Node("Shape", {"x"}, {"rows"})
      .Node("Expand", {"rows", "rows"}, {"together"})
      .Output({"count.next", DType::kInt64, dims})
      .Output({"together", DType::kInt64, dims});
  return graph;
}

class BatchingTest : public ::testing::Test {
 protected:
  // Of four steps in a run at most, by one worker, which runs everything.
  explicit BatchingTest(const MemoryStoreOptions& store = {}, size_t max_queued_calls = 4096,
                        absl::Duration inline_limit = absl::ZeroDuration())
      : store_(store),
        models_({.root = folder_.path()}),
        engine_({.worker_threads = 1, .max_queued_calls = max_queued_calls, .inline_limit = inline_limit},
                &store_, &models_, &clock_) {
    LoadModel("m", 0);
  }

  void LoadModel(const std::string& model, int max_queue_delay_micros) {
    folder_.Write(model + "/step.onnx", TellingCounter().Bytes());
    folder_.Write(
        model + "/model.textproto",
        absl::StrCat("batching { max_batch_size: 4 max_queue_delay_micros: ", max_queue_delay_micros,
                     " }\nstate { index: \"count\" dtype: INT64 }\nmethod { name: \"step\" }"));
    const auto loaded = models_.Load(model);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
  }

  Version Make(const std::string& model = "m") {
    const auto made = Await(engine_, &Engine::MakeState, {.model = model});
    EXPECT_TRUE(made.ok()) << made.status();
    return made->snapshot->version();
  }

  static StepRequest Add(Version version, int64_t x) {
    return {.state = version, .inputs = {{"x", Array::Scalar<int64_t>(x)}}};
  }

  // How many ran together with a step.
  static int64_t Together(const absl::StatusOr<StepResult>& stepped) {
    EXPECT_TRUE(stepped.ok()) << stepped.status();
    return stepped.ok() ? stepped->outputs.at(0).second.As<int64_t>().value()[0] : -1;
  }

  // Steps that are asked for while the worker is kept busy by another's callback.
  class WhileBusy {
   public:
    WhileBusy(BatchingTest& test, Version version) : test_(test) {
      test_.engine_.Step(Add(version, 0), [this](const absl::StatusOr<StepResult>& stepped) {
        first_ = Together(stepped);
        is_busy_.Notify();
        go_on_.WaitForNotification();
        left_.DecrementCount();
      });
      is_busy_.WaitForNotification();
    }

    void Step(StepRequest request) {
      const size_t at = results_.size();
      results_.push_back(absl::UnknownError("no answer"));
      requests_.emplace_back(at, std::move(request));
    }

    // Asks for the steps, lets the worker go on when `waiting` of them wait, and asks for the others.
    std::vector<absl::StatusOr<StepResult>> Finish(size_t waiting) {
      absl::BlockingCounter answered(static_cast<int>(requests_.size()));
      for (auto& [at, request] : requests_) {
        if (at == waiting) go_on_.Notify();
        test_.engine_.Step(std::move(request),
                           [this, &answered, at = at](absl::StatusOr<StepResult> stepped) {
                             results_[at] = std::move(stepped);
                             answered.DecrementCount();
                           });
      }
      if (waiting == requests_.size()) go_on_.Notify();
      answered.Wait();
      left_.Wait();
      return results_;
    }

    int64_t first() const { return first_; }

   private:
    BatchingTest& test_;
    absl::Notification is_busy_;
    absl::Notification go_on_;
    absl::BlockingCounter left_{1};
    int64_t first_ = 0;
    std::vector<absl::StatusOr<StepResult>> results_;
    std::vector<std::pair<size_t, StepRequest>> requests_;
  };

  static std::vector<int64_t> AllTogether(const std::vector<absl::StatusOr<StepResult>>& results) {
    std::vector<int64_t> together;
    together.reserve(results.size());
    for (const auto& result : results) together.push_back(Together(result));
    return together;
  }

  testing::TempFolder folder_;
  SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_;
  Engine engine_;
};

TEST_F(BatchingTest, StepsThatWaitForAWorkerRunTogether) {
  const Version root = Make();
  WhileBusy steps(*this, root);
  EXPECT_EQ(steps.first(), 1) << "alone, it does not wait for others";
  for (int i = 0; i < 6; ++i) steps.Step(Add(root, i));
  const auto results = steps.Finish(6);
  EXPECT_THAT(AllTogether(results), ElementsAre(4, 4, 4, 4, 2, 2));
  for (size_t i = 0; i < results.size(); ++i) {
    const auto& count = results[i]->snapshot->arrays()[0];
    EXPECT_EQ(count, Array::Scalar(static_cast<int64_t>(i)));
    EXPECT_EQ(results[i]->snapshot->record().parent, root);
  }
}

TEST_F(BatchingTest, BadStepsAmongThoseThatWaitFailAlone) {
  const Version root = Make();
  WhileBusy steps(*this, root);
  steps.Step(Add(root, 1));
  steps.Step({.state = root});
  StepRequest cancelled = Add(root, 1);
  cancelled.call.cancelled = std::make_shared<std::atomic<bool>>(true);
  steps.Step(std::move(cancelled));
  StepRequest unlimited = Add(root, 2);
  StepRequest limited = Add(root, 2);
  limited.max_reply_bytes = 1;
  steps.Step(std::move(limited));
  steps.Step(std::move(unlimited));
  const auto results = steps.Finish(5);
  EXPECT_EQ(Together(results[0]), 3) << "with the one whose reply is too large, and the last";
  EXPECT_EQ(results[1].status().code(), absl::StatusCode::kInvalidArgument) << results[1].status();
  EXPECT_EQ(results[2].status().code(), absl::StatusCode::kCancelled) << results[2].status();
  EXPECT_EQ(GetErrorInfo(results[3].status()).reason, "REPLY_TOO_LARGE") << results[3].status();
  EXPECT_EQ(Together(results[4]), 3);
}

TEST_F(BatchingTest, FullBatchDoesNotWaitForItsDelay) {
  LoadModel("patient", 1'000'000);
  const Version root = Make("patient");
  WhileBusy steps(*this, root);
  EXPECT_EQ(steps.first(), 1) << "alone, it does not wait for others";
  for (int i = 0; i < 4; ++i) steps.Step(Add(root, i));
  // Two wait when the worker is free; it waits for the other two.
  EXPECT_THAT(AllTogether(steps.Finish(2)), Each(4));
}

TEST_F(BatchingTest, DelayEndsWithoutAFullBatch) {
  LoadModel("hasty", 1000);
  const Version root = Make("hasty");
  WhileBusy steps(*this, root);
  steps.Step(Add(root, 1));
  steps.Step(Add(root, 2));
  EXPECT_THAT(AllTogether(steps.Finish(2)), Each(2));
}

TEST_F(BatchingTest, BatchStepFillsItsRuns) {
  BatchStepRequest request;
  for (int i = 0; i < 10; ++i) request.steps.push_back(Add(Make(), i));
  const auto batch = Await(engine_, &Engine::BatchStep, request);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_THAT(AllTogether(batch->results), ElementsAre(4, 4, 4, 4, 4, 4, 4, 4, 2, 2));
  request.all_or_nothing = true;
  const auto atomic = Await(engine_, &Engine::BatchStep, request);
  ASSERT_TRUE(atomic.ok()) << atomic.status();
  EXPECT_THAT(AllTogether(atomic->results), ElementsAre(4, 4, 4, 4, 4, 4, 4, 4, 2, 2));
}

TEST_F(BatchingTest, BatchStepOfManyFillsItsRuns) {
  const Version root = Make();
  BatchStepRequest request;
  for (int i = 0; i < 102; ++i) request.steps.push_back(Add(root, i));
  const auto batch = Await(engine_, &Engine::BatchStep, request);
  ASSERT_TRUE(batch.ok()) << batch.status();
  std::vector<int64_t> expected(102, 4);
  expected[100] = expected[101] = 2;
  EXPECT_EQ(AllTogether(batch->results), expected);
}

class InlineBatchTest : public BatchingTest {
 protected:
  InlineBatchTest() : BatchingTest({}, 4096, absl::InfiniteDuration()) {}

  // Whether a batch of `count` steps was answered by the time that the call returned.
  bool RunsInline(int count) {
    const Version root = Make();
    BatchStepRequest request;
    for (int i = 0; i < count; ++i) request.steps.push_back(Add(root, i));
    absl::Notification answered;
    bool ran_here = false;
    engine_.BatchStep(std::move(request),
                      [&, here = std::this_thread::get_id()](const absl::StatusOr<BatchStepResult>& batch) {
                        EXPECT_TRUE(batch.ok()) << batch.status();
                        ran_here = std::this_thread::get_id() == here;
                        answered.Notify();
                      });
    answered.WaitForNotification();
    return ran_here;
  }
};

TEST_F(InlineBatchTest, FewStepsRunWhereTheyComeInOnceTheirTimeIsKnown) {
  EXPECT_FALSE(RunsInline(4)) << "it is not known what a run takes";
  EXPECT_TRUE(RunsInline(4));
  EXPECT_TRUE(RunsInline(8));
  EXPECT_FALSE(RunsInline(1000)) << "preparing so many takes too long";
}

TEST_F(BatchingTest, CancelledBatchStepsNothing) {
  const Version root = Make();
  BatchStepRequest request{.steps = {Add(root, 1), Add(root, 2)}};
  request.call.cancelled = std::make_shared<std::atomic<bool>>(true);
  for (const bool all_or_nothing : {false, true}) {
    request.all_or_nothing = all_or_nothing;
    const auto batch = Await(engine_, &Engine::BatchStep, request);
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_EQ(batch->results[0].status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(batch->results[1].status().code(),
              all_or_nothing ? absl::StatusCode::kAborted : absl::StatusCode::kCancelled);
  }
  EXPECT_EQ(
      Await(engine_, &Engine::ListSnapshots, {.of = ListSnapshotsRequest::Model{"m"}})->snapshots.size(), 1u);
}

TEST_F(BatchingTest, ReplyLimitOfABatchIsSharedOut) {
  const Version root = Make();
  BatchStepRequest request{.steps = {Add(root, 1), Add(root, 2)}, .max_reply_bytes = 16};
  for (const bool all_or_nothing : {false, true}) {
    request.all_or_nothing = all_or_nothing;
    const auto fits = Await(engine_, &Engine::BatchStep, request);
    ASSERT_TRUE(fits.ok()) << fits.status();
    EXPECT_THAT(AllTogether(fits->results), Each(2));
  }
  request.max_reply_bytes = 15;
  const auto none = Await(engine_, &Engine::BatchStep, request);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(GetErrorInfo(none->results[0].status()).reason, "REPLY_TOO_LARGE");
  EXPECT_EQ(GetErrorInfo(none->results[1].status()).reason, "BATCH_NOT_COMMITTED");
}

class FullQueueTest : public BatchingTest {
 protected:
  FullQueueTest() : BatchingTest({}, 2) {}
};

TEST_F(FullQueueTest, StepsPastTheLimitAreRefusedAndTheOthersRun) {
  const Version root = Make();
  WhileBusy steps(*this, root);
  for (int i = 0; i < 3; ++i) steps.Step(Add(root, i));
  const auto results = steps.Finish(3);
  EXPECT_EQ(Together(results[0]), 2);
  EXPECT_EQ(Together(results[1]), 2);
  EXPECT_EQ(results[2].status().code(), absl::StatusCode::kResourceExhausted) << results[2].status();
  EXPECT_EQ(GetErrorInfo(results[2].status()).reason, "QUEUE_FULL");
}

TEST_F(FullQueueTest, RunsOfABatchPastTheLimitAreRefused) {
  const Version root = Make();
  WhileBusy busy(*this, root);
  BatchStepRequest request;
  for (int i = 0; i < 12; ++i) request.steps.push_back(Add(root, i));
  absl::Notification answered;
  absl::StatusOr<BatchStepResult> batch;
  engine_.BatchStep(std::move(request), [&](absl::StatusOr<BatchStepResult> result) {
    batch = std::move(result);
    answered.Notify();
  });
  busy.Finish(0);
  answered.WaitForNotification();
  ASSERT_TRUE(batch.ok()) << batch.status();
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(Together(batch->results[i]), 4);
  for (size_t i = 8; i < 12; ++i) {
    EXPECT_EQ(batch->results[i].status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(GetErrorInfo(batch->results[i].status()).reason, "QUEUE_FULL");
  }
}

// Of the root and three more.
class FullStoreTest : public BatchingTest {
 protected:
  FullStoreTest()
      : BatchingTest(
            {.max_bytes = 4 * (MemoryStore::kBytesPerSnapshot + static_cast<int64_t>(sizeof(int64_t)))}) {}
};

TEST_F(FullStoreTest, WhatTheStoreRefusesOfARunFailsAlone) {
  const Version root = Make();
  BatchStepRequest request;
  for (int i = 0; i < 4; ++i) request.steps.push_back(Add(root, i));
  request.all_or_nothing = true;
  const auto none = Await(engine_, &Engine::BatchStep, request);
  ASSERT_TRUE(none.ok()) << none.status();
  for (const auto& result : none->results) EXPECT_EQ(GetErrorInfo(result.status()).reason, "MEMORY_LIMIT");

  request.all_or_nothing = false;
  const auto some = Await(engine_, &Engine::BatchStep, request);
  ASSERT_TRUE(some.ok()) << some.status();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(Together(some->results[i]), 4);
  EXPECT_EQ(some->results[3].status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(some->results[3].status()).reason, "MEMORY_LIMIT");
}

}  // namespace
}  // namespace stepwell
