// What a call knows of its client, and what a client that has gone leaves behind.
#include "server/rpc/call.h"

#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/encode.h"
#include "server/rpc/test_server.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell::server {
namespace {

// Waits until nobody waits for `context`'s call any more, and says why.
absl::Status AwaitEnd(const CallContext& context) {
  while (context.Check().ok()) std::this_thread::yield();
  return context.Check();
}

// Calls in the order in which they came. Thread-safe.
class Arrivals {
 public:
  void Add(std::shared_ptr<UnaryCall> call) {
    const absl::MutexLock lock(&mutex_);
    calls_.push_back(std::move(call));
  }

  // Waits for `count` calls; the last of them.
  std::shared_ptr<UnaryCall> Await(size_t count) {
    const absl::MutexLock lock(&mutex_);
    const auto came = [this, count]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return calls_.size() >= count; };
    mutex_.Await(absl::Condition(&came));
    return calls_[count - 1];
  }

  void Clear() {
    const absl::MutexLock lock(&mutex_);
    calls_.clear();
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::shared_ptr<UnaryCall>> calls_ ABSL_GUARDED_BY(mutex_);
};

// A client's Step that runs meanwhile.
class PendingStep {
 public:
  PendingStep(v1::StateService::Stub* stub, absl::Time deadline = absl::InfiniteFuture()) {
    if (deadline != absl::InfiniteFuture()) context_.set_deadline(absl::ToChronoTime(deadline));
    thread_ = std::thread([this, stub] { status_ = stub->Step(&context_, {}, &reply_); });
  }
  ~PendingStep() {
    if (thread_.joinable()) thread_.join();
  }

  void Cancel() { context_.TryCancel(); }
  grpc::StatusCode Code() {
    if (thread_.joinable()) thread_.join();
    return status_.error_code();
  }

 private:
  grpc::ClientContext context_;
  v1::StepResponse reply_;
  grpc::Status status_;
  std::thread thread_;
};

// More calls at once than one burst takes, of which every third is answered by another thread, later.
TEST(Call, EachOfManyAtOnceGetsItsOwnAnswer) {
  constexpr int kCalls = 200;
  WorkerPool pool(2, kCalls);
  TestServer server([&](std::shared_ptr<UnaryCall> call, v1::StepRequest&& request) {
    const int64_t version = request.state().version();
    auto answer = [call = std::move(call), version] {
      v1::StepResponse reply;
      reply.set_version(version);
      call->Answer(Serialize(reply));
    };
    if (version % 3 == 0) return pool.Schedule(std::move(answer));
    answer();
  });
  server.Start();
  const auto stub = server.NewStub();

  struct Pending {
    grpc::ClientContext context;
    v1::StepResponse reply;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::StepResponse>> call;
  };
  std::vector<Pending> pending(kCalls);
  grpc::CompletionQueue queue;
  for (int i = 0; i < kCalls; ++i) {
    v1::StepRequest request;
    request.mutable_state()->set_version(i + 1);
    pending[i].call = stub->AsyncStep(&pending[i].context, request, &queue);
    pending[i].call->Finish(&pending[i].reply, &pending[i].status, &pending[i]);
  }
  for (int i = 0; i < kCalls; ++i) {
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
  }
  for (int i = 0; i < kCalls; ++i) {
    EXPECT_TRUE(pending[i].status.ok()) << pending[i].status.error_message();
    EXPECT_EQ(pending[i].reply.version(), i + 1);
  }
  queue.Shutdown();
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(Call, HasTheDeadlineOfItsClient) {
  Arrivals arrivals;
  TestServer server([&](auto call, auto&&) {
    arrivals.Add(call);
    call->Answer(EmptyMessage());
  });
  server.Start();
  const auto stub = server.NewStub();
  const absl::Time deadline = absl::Now() + absl::Hours(1);
  EXPECT_EQ(PendingStep(stub.get(), deadline).Code(), grpc::StatusCode::OK);
  EXPECT_LT(absl::AbsDuration(arrivals.Await(1)->context().deadline - deadline), absl::Minutes(1));
  EXPECT_EQ(PendingStep(stub.get()).Code(), grpc::StatusCode::OK);
  EXPECT_EQ(arrivals.Await(2)->context().deadline, absl::InfiniteFuture());
  arrivals.Clear();
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(Call, IsCancelledWhenItsClientGoes) {
  Arrivals arrivals;
  TestServer server([&](auto call, auto&&) { arrivals.Add(std::move(call)); });
  server.Start();
  const auto stub = server.NewStub();
  PendingStep step(stub.get());
  std::shared_ptr<UnaryCall> call = arrivals.Await(1);
  EXPECT_TRUE(call->context().Check().ok());
  step.Cancel();
  EXPECT_EQ(AwaitEnd(call->context()).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(step.Code(), grpc::StatusCode::CANCELLED);
  call->Answer(EmptyMessage());  // Nobody hears it.
  call = nullptr;
  arrivals.Clear();
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(ServerStreamCall, EndsWhenItsClientGoes) {
  // Notifies when it goes.
  struct Sentinel {
    absl::Notification* gone;
    explicit Sentinel(absl::Notification* notification) : gone(notification) {}
    ~Sentinel() { gone->Notify(); }
  };
  absl::Notification gone;
  TestServer server(nullptr, [&](std::shared_ptr<ServerStreamCall> call, v1::ReadArraysRequest&&) {
    call->Answer(ServerStreamCall::Source(
        [sentinel = std::make_unique<Sentinel>(&gone)]() -> absl::StatusOr<grpc::ByteBuffer> {
          v1::ReadArraysResponse message;
          message.set_data(std::string(100'000, 'x'));
          return Serialize(message);
        }));
  });
  server.Start();
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto reader = stub->ReadArrays(&context, {});
  v1::ReadArraysResponse message;
  ASSERT_TRUE(reader->Read(&message));
  context.TryCancel();
  gone.WaitForNotification();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(ServerStreamCall, FailsWithTheErrorOfItsSource) {
  TestServer server(nullptr, [&](std::shared_ptr<ServerStreamCall> call, v1::ReadArraysRequest&& request) {
    if (request.byte_offset() == 1) return call->Answer(absl::OutOfRangeError("at once"));
    call->Answer(ServerStreamCall::Source([sent = 0]() mutable -> absl::StatusOr<grpc::ByteBuffer> {
      if (sent++ == 2) return absl::DataLossError("after two");
      return Serialize(v1::ReadArraysResponse());
    }));
  });
  server.Start();
  const auto stub = server.NewStub();
  const auto read = [&](int64_t offset, int messages) {
    grpc::ClientContext context;
    v1::ReadArraysRequest request;
    request.set_byte_offset(offset);
    const auto reader = stub->ReadArrays(&context, request);
    v1::ReadArraysResponse message;
    int count = 0;
    while (reader->Read(&message)) ++count;
    EXPECT_EQ(count, messages);
    return reader->Finish();
  };
  EXPECT_EQ(read(0, 2).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(read(1, 0).error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

// Calls of a real engine with one worker, which the test can hold up.
class EngineCallTest : public ::testing::Test {
 protected:
  EngineCallTest()
      : models_({.root = STEPWELL_SOURCE_DIR "/tests/data/equinox"}),
        engine_({.worker_threads = 1, .inline_limit = absl::ZeroDuration()}, &store_, &models_, &clock_),
        server_([this](auto call, auto&& /*request*/) {
          StepRequest request = CountOn("live");
          request.call = call->context();
          arrivals_.Add(call);
          // One with a deadline reaches the engine when that has passed.
          if (request.call.deadline != absl::InfiniteFuture()) {
            EXPECT_FALSE(AwaitEnd(request.call).ok());
          }
          engine_.Step(std::move(request), [call](absl::StatusOr<StepResult> result) {
            if (!result.ok()) return call->Answer(result.status());
            call->Answer(EmptyMessage());
          });
        }) {
    EXPECT_TRUE(models_.Load("counter").ok());
    EXPECT_TRUE(Await(engine_, &Engine::MakeState, {.model = "counter", .branch = "live"}).ok());
    EXPECT_TRUE(Await(engine_, &Engine::MakeState, {.model = "counter", .branch = "aside"}).ok());
    server_.Start();
    stub_ = server_.NewStub();
  }
  ~EngineCallTest() override {
    arrivals_.Clear();
    EXPECT_TRUE(server_.rpcs().Stop(absl::Now() + kLong));
  }

  static StepRequest CountOn(const std::string& branch) {
    return {.state = BranchName{branch}, .inputs = {{"x", Array::Scalar<int32_t>(1)}}};
  }
  SnapshotRecord Head() {
    return *Await(engine_, &Engine::GetSnapshot, {.state = BranchName{"live"}})->record;
  }

  SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_;
  Engine engine_;
  Arrivals arrivals_;
  TestServer server_;
  std::unique_ptr<v1::StateService::Stub> stub_;
};

TEST_F(EngineCallTest, StepWhoseDeadlineHasPassedNeverRunsAndMintsNothing) {
  const SnapshotRecord before = Head();
  PendingStep step(stub_.get(), absl::Now() + absl::Milliseconds(50));
  EXPECT_EQ(step.Code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(PendingStep(stub_.get()).Code(), grpc::StatusCode::OK);
  const SnapshotRecord after = Head();
  EXPECT_EQ(after.parent, before.version);
  EXPECT_EQ(after.step_count, 1);
  EXPECT_EQ(after.version.value(), before.version.value() + 2) << "the root of the other branch lies between";
}

TEST_F(EngineCallTest, CancelledStepInAQueueLeavesNoTraceAndTheNextOneGoesOn) {
  // The only worker stands still in the callback of another branch's step.
  absl::Notification held;
  absl::Notification go_on;
  engine_.Step(CountOn("aside"), [&](const absl::StatusOr<StepResult>& result) {
    EXPECT_TRUE(result.ok());
    held.Notify();
    go_on.WaitForNotification();
  });
  held.WaitForNotification();

  const SnapshotRecord root = Head();
  PendingStep first(stub_.get());
  arrivals_.Await(1);
  PendingStep second(stub_.get());
  const CallContext waiting = arrivals_.Await(2)->context();
  PendingStep third(stub_.get());
  arrivals_.Await(3);
  second.Cancel();
  EXPECT_EQ(AwaitEnd(waiting).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Head().version, root.version);
  go_on.Notify();
  EXPECT_EQ(first.Code(), grpc::StatusCode::OK);
  EXPECT_EQ(second.Code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(third.Code(), grpc::StatusCode::OK);

  const SnapshotRecord head = Head();
  EXPECT_EQ(head.step_count, 2);
  const auto between = Await(engine_, &Engine::GetSnapshot, {.state = *head.parent});
  ASSERT_TRUE(between.ok()) << between.status();
  EXPECT_EQ(between->record->parent, root.version);
  EXPECT_EQ(head.version.value(), between->record->version.value() + 1) << "no number was used between them";
}

}  // namespace
}  // namespace stepwell::server
