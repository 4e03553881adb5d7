// What a stream leaves behind when it ends at an awkward time: steps that an engine has begun and others that
// wait, with the engine's only worker held up by the test. What a client sees of streams is in
// tests/e2e/step_stream_test.cc.
#include "server/services/step_stream.h"

#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/rpc/test_server.h"
#include "stepwell/engine/await.h"
#include "stepwell/storage/testing/forwarding_store.h"

namespace stepwell::server {
namespace {

using ::testing::HasSubstr;

// A store in memory that says it has a disk, which takes as long as the test likes.
class SlowDiskStore final : public testing::ForwardingStore {
 public:
  void Commit(CommitBatch batch, Durability durability, DoneCallback visible, DoneCallback durable) override {
    if (durability == Durability::kSync) {
      durable = [this, durable = std::move(durable)](const absl::Status&) mutable {
        const absl::MutexLock lock(&mutex_);
        unsynced_.push_back(std::move(durable));
      };
    }
    ForwardingStore::Commit(std::move(batch), Durability::kAsync, std::move(visible), std::move(durable));
  }

  // What is to be told that a commit is synced, of `count` commits that wait for it; in their order.
  std::vector<DoneCallback> AwaitUnsynced(size_t count) {
    const auto enough = [&] {
      mutex_.AssertReaderHeld();
      return unsynced_.size() >= count;
    };
    const absl::MutexLock lock(&mutex_, absl::Condition(&enough));
    return std::exchange(unsynced_, {});
  }

 private:
  absl::Mutex mutex_;
  std::vector<DoneCallback> unsynced_ ABSL_GUARDED_BY(mutex_);
};

class StepStreamTest : public ::testing::Test {
 protected:
  using ClientStream = grpc::ClientReaderWriter<v1::StepStreamRequest, v1::StepStreamResponse>;

  StepStreamTest()
      : models_({.root = STEPWELL_SOURCE_DIR "/tests/data/equinox"}),
        engine_({.worker_threads = 1, .inline_limit = absl::ZeroDuration()}, &store_, &models_, &clock_),
        server_(nullptr) {
    EXPECT_TRUE(models_.Load("counter").ok());
    for (const char* branch : {"live", "aside"}) {
      EXPECT_TRUE(Await(engine_, &Engine::MakeState, {.model = "counter", .branch = branch}).ok());
    }
    server_.HandleStepStream([this](std::shared_ptr<BidiStreamCall> call) {
      {
        const absl::MutexLock lock(&mutex_);
        call_ = call;
      }
      ServeStepStream(&engine_, 1 << 20, std::move(call));
    });
    server_.Start();
    stub_ = server_.NewStub();
  }
  ~StepStreamTest() override {
    if (stopped_) return;
    EXPECT_TRUE(server_.rpcs().Stop(absl::Now() + kLong));
  }

  // The only worker stands still until GoOn.
  void HoldTheWorker() {
    engine_.Step({.state = BranchName{"aside"}, .inputs = {{"x", Array::Scalar<int32_t>(1)}}},
                 [this](const absl::StatusOr<StepResult>& result) {
                   EXPECT_TRUE(result.ok());
                   held_.Notify();
                   go_on_.WaitForNotification();
                 });
    held_.WaitForNotification();
  }
  void GoOn() { go_on_.Notify(); }

  void Open(v1::Durability durability = v1::DURABILITY_UNSPECIFIED) {
    stream_ = stub_->StepStream(&context_);
    v1::StepStreamRequest request;
    request.mutable_open()->mutable_state()->set_branch("live");
    request.mutable_open()->set_durability(durability);
    ASSERT_TRUE(stream_->Write(request));
    v1::StepStreamResponse reply;
    ASSERT_TRUE(stream_->Read(&reply));
    EXPECT_EQ(reply.opened(), Head().version.value());
  }
  void Write(int32_t x) {
    v1::StepStreamRequest request;
    v1::NamedArray& input = *request.mutable_step()->add_inputs();
    input.set_name("x");
    input.mutable_array()->set_dtype(v1::INT32);
    input.mutable_array()->set_data(&x, sizeof(x));
    ASSERT_TRUE(stream_->Write(request));
  }
  SnapshotRecord Head() {
    return *Await(engine_, &Engine::GetSnapshot, {.state = BranchName{"live"}})->record;
  }
  // The server has done what it could do at once with what was sent before.
  void Ping() {
    for (int i = 0; i < 100; ++i) {
      grpc::ClientContext context;
      v1::GetSnapshotResponse reply;
      EXPECT_TRUE(stub_->GetSnapshot(&context, {}, &reply).ok());
    }
  }
  // Waits until the server knows that the client has gone.
  void AwaitCancelled() {
    const absl::MutexLock lock(&mutex_);
    while (const std::shared_ptr<BidiStreamCall> call = call_.lock()) {
      if (!call->context().Check().ok()) return;
      std::this_thread::yield();
    }
  }

  SystemClock clock_;
  SlowDiskStore store_;
  ModelRepository models_;
  absl::Notification held_;
  absl::Notification go_on_;
  Engine engine_;
  absl::Mutex mutex_;
  std::weak_ptr<BidiStreamCall> call_ ABSL_GUARDED_BY(mutex_);  // That came last.
  TestServer server_;
  bool stopped_ = false;
  std::unique_ptr<v1::StateService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<ClientStream> stream_;
};

TEST_F(StepStreamTest, StepsThatHaveNotBegunAreDroppedWhenTheClientVanishes) {
  Open();
  const SnapshotRecord root = Head();
  Write(1);
  v1::StepStreamResponse reply;
  ASSERT_TRUE(stream_->Read(&reply));
  EXPECT_GT(reply.response().version(), root.version.value());
  HoldTheWorker();
  for (int i = 0; i < 5; ++i) Write(10);
  Ping();
  context_.TryCancel();
  AwaitCancelled();
  GoOn();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server_.rpcs().Stop(absl::Now() + kLong));
  stopped_ = true;
  EXPECT_EQ(Head().version.value(), reply.response().version());
  EXPECT_EQ(Head().step_count, 1);
}

TEST_F(StepStreamTest, DrainAnswersWhatWasReadAndRunsNothingElse) {
  Open();
  HoldTheWorker();
  for (int i = 0; i < 3; ++i) Write(1);
  Ping();
  std::thread stopping([&] { EXPECT_TRUE(server_.rpcs().Stop(absl::Now() + kLong)); });
  grpc::Status refused;
  while (refused.ok()) {  // Until the stop has begun.
    grpc::ClientContext context;
    v1::GetSnapshotResponse reply;
    refused = stub_->GetSnapshot(&context, {}, &reply);
  }
  GoOn();
  v1::StepStreamResponse reply;
  int64_t version = 0;
  int answers = 0;
  while (stream_->Read(&reply)) {
    EXPECT_GT(reply.response().version(), version) << reply.DebugString();
    version = reply.response().version();
    ++answers;
  }
  const grpc::Status status = stream_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_THAT(status.error_details(), HasSubstr("DRAINING"));
  stopping.join();
  stopped_ = true;
  EXPECT_EQ(Head().step_count, answers);
  EXPECT_EQ(Head().version.value(), version);
}

TEST_F(StepStreamTest, DrainEndsAStreamThatWaitsForItsClient) {
  Open();
  grpc::ClientContext unopened_context;
  const auto unopened = stub_->StepStream(&unopened_context);
  Ping();
  stopped_ = true;
  EXPECT_TRUE(server_.rpcs().Stop(absl::Now() + kLong));
  v1::StepStreamResponse reply;
  EXPECT_FALSE(stream_->Read(&reply));
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(unopened->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(StepStreamTest, StepWhoseTurnIsTakenByAnotherCallLosesItsPlace) {
  Open();
  HoldTheWorker();
  Write(1);
  Write(2);
  Ping();  // The first has its turn on the branch, and waits for the worker.
  absl::Notification other_done;
  engine_.Step({.state = BranchName{"live"}, .inputs = {{"x", Array::Scalar<int32_t>(100)}}},
               [&](const absl::StatusOr<StepResult>& result) {
                 EXPECT_TRUE(result.ok()) << result.status();
                 other_done.Notify();
               });
  GoOn();
  v1::StepStreamResponse first;
  v1::StepStreamResponse second;
  ASSERT_TRUE(stream_->Read(&first));
  ASSERT_TRUE(stream_->Read(&second));
  other_done.WaitForNotification();
  EXPECT_TRUE(first.has_response()) << first.DebugString();
  // The other call waited before the stream's second step came round.
  EXPECT_EQ(second.status().code(), static_cast<int>(grpc::StatusCode::ABORTED)) << second.DebugString();
  EXPECT_THAT(second.status().message(), HasSubstr("the head of branch \"live\""));
  stream_->WritesDone();
  EXPECT_TRUE(stream_->Finish().ok());
  EXPECT_EQ(Head().step_count, 2);
}

TEST_F(StepStreamTest, StepDoesNotWaitForTheDiskOfTheOneBeforeAndItsAnswerDoes) {
  Open(v1::DURABILITY_SYNC);
  for (int i = 0; i < 3; ++i) Write(1);
  std::vector<Store::DoneCallback> synced = store_.AwaitUnsynced(3);
  EXPECT_EQ(Head().step_count, 3);
  std::move(synced[1])(absl::InternalError("the disk is broken"));
  std::move(synced[2])(absl::OkStatus());
  v1::StepStreamRequest bad;
  bad.mutable_step()->set_method("no_such_method");
  ASSERT_TRUE(stream_->Write(bad));
  stream_->WritesDone();
  Ping();
  std::move(synced[0])(absl::OkStatus());

  v1::StepStreamResponse replies[4];
  for (v1::StepStreamResponse& reply : replies) ASSERT_TRUE(stream_->Read(&reply));
  EXPECT_GT(replies[0].response().version(), 0) << replies[0].DebugString();
  EXPECT_THAT(replies[1].status().message(), HasSubstr("the disk is broken")) << replies[1].DebugString();
  EXPECT_EQ(replies[2].response().version(), Head().version.value()) << replies[2].DebugString();
  EXPECT_THAT(replies[3].status().message(), HasSubstr("no_such_method")) << replies[3].DebugString();
  EXPECT_FALSE(stream_->Read(&replies[0]));
  EXPECT_TRUE(stream_->Finish().ok());
}

}  // namespace
}  // namespace stepwell::server
