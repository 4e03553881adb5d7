#include "server/rpc/bidi_stream_call.h"

#include <deque>
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
#include "server/convert/encode.h"
#include "server/rpc/test_server.h"

namespace stepwell::server {
namespace {

using ::testing::HasSubstr;

// The server's end of a stream, held by the test: it reads when told to, and sends what it is given.
// Thread-safe.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  explicit Exchange(std::shared_ptr<BidiStreamCall> call) : call_(std::move(call)) {}

  void Answer() {
    call_->Answer(BidiStreamCall::Source([self = shared_from_this()] { return self->Next(); }));
  }
  void Read() {
    call_->Read([self = shared_from_this()](std::optional<grpc::ByteBuffer> bytes) {
      const absl::MutexLock lock(&self->mutex_);
      ++self->reads_;
      if (!bytes.has_value()) {
        self->requests_ended_ = true;
      } else {
        self->requests_.push_back(*ParseRequest<v1::StepStreamRequest>(*bytes));
      }
    });
  }
  // Reads one after the other and sends each one's method back as the message of a status, to the end.
  void Echo() {
    call_->Read([self = shared_from_this()](std::optional<grpc::ByteBuffer> bytes) {
      if (!bytes.has_value()) return self->Send(grpc::ByteBuffer());
      v1::StepStreamResponse reply;
      reply.mutable_status()->set_message(ParseRequest<v1::StepStreamRequest>(*bytes)->step().method());
      self->Send(Serialize(reply));
      self->Echo();
    });
  }
  void Send(absl::StatusOr<grpc::ByteBuffer> reply) {
    {
      const absl::MutexLock lock(&mutex_);
      replies_.push_back(std::move(reply));
    }
    call_->Resume();
  }

  // Waits for the end of `count` reads; whether the last one came to a request.
  bool AwaitRead(int count) {
    const absl::MutexLock lock(&mutex_);
    const auto came = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return reads_ >= count; };
    mutex_.Await(absl::Condition(&came));
    return !requests_ended_;
  }
  int reads() {
    const absl::MutexLock lock(&mutex_);
    return reads_;
  }
  size_t replies_left() {
    const absl::MutexLock lock(&mutex_);
    return replies_.size();
  }
  absl::Status Check() const { return call_->context().Check(); }

 private:
  absl::StatusOr<std::optional<grpc::ByteBuffer>> Next() {
    const absl::MutexLock lock(&mutex_);
    if (replies_.empty()) return std::nullopt;
    absl::StatusOr<grpc::ByteBuffer> reply = std::move(replies_.front());
    replies_.pop_front();
    if (!reply.ok()) return reply.status();
    return *std::move(reply);
  }

  const std::shared_ptr<BidiStreamCall> call_;
  absl::Mutex mutex_;
  int reads_ ABSL_GUARDED_BY(mutex_) = 0;
  bool requests_ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<v1::StepStreamRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::deque<absl::StatusOr<grpc::ByteBuffer>> replies_ ABSL_GUARDED_BY(mutex_);
};

// A server whose StepStream calls the test handles through an Exchange, and a client of it.
class BidiStreamCallTest : public ::testing::Test {
 protected:
  using ClientStream = grpc::ClientReaderWriter<v1::StepStreamRequest, v1::StepStreamResponse>;

  BidiStreamCallTest() : server_(nullptr) {
    server_.HandleStepStream([this](std::shared_ptr<BidiStreamCall> call) {
      auto exchange = std::make_shared<Exchange>(std::move(call));
      const absl::MutexLock lock(&mutex_);
      exchange_ = std::move(exchange);
    });
    server_.Start();
    stub_ = server_.NewStub();
  }
  ~BidiStreamCallTest() override { Stop(); }

  void Stop() {
    {
      const absl::MutexLock lock(&mutex_);
      exchange_ = nullptr;
    }
    if (std::exchange(stopped_, true)) return;
    EXPECT_TRUE(server_.rpcs().Stop(absl::Now() + kLong));
  }

  // Opens a stream; the server's end of it.
  std::shared_ptr<Exchange> Open() {
    context_ = std::make_unique<grpc::ClientContext>();
    stream_ = stub_->StepStream(context_.get());
    const absl::MutexLock lock(&mutex_);
    const auto came = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return exchange_ != nullptr; };
    mutex_.Await(absl::Condition(&came));
    return std::exchange(exchange_, nullptr);
  }
  bool Write(const std::string& method) {
    v1::StepStreamRequest request;
    request.mutable_step()->set_method(method);
    return stream_->Write(request);
  }
  // The message of the next reply.
  std::optional<std::string> Read() {
    v1::StepStreamResponse reply;
    if (!stream_->Read(&reply)) return std::nullopt;
    return reply.status().message();
  }
  // After this, the server has done what it could do at once for what came before.
  void Ping() {
    for (int i = 0; i < 50; ++i) {
      grpc::ClientContext context;
      v1::GetSnapshotResponse reply;
      EXPECT_TRUE(stub_->GetSnapshot(&context, {}, &reply).ok());
    }
  }
  static grpc::ByteBuffer Reply(const std::string& message) {
    v1::StepStreamResponse reply;
    reply.mutable_status()->set_message(message);
    return Serialize(reply);
  }

  TestServer server_;
  bool stopped_ = false;
  absl::Mutex mutex_;
  std::shared_ptr<Exchange> exchange_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<v1::StateService::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<ClientStream> stream_;
};

TEST_F(BidiStreamCallTest, AnswersEachRequestInOrderUntilTheClientHasSentTheLast) {
  const auto exchange = Open();
  exchange->Answer();
  exchange->Echo();
  std::thread writing([this] {
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Write(std::to_string(i)));
    stream_->WritesDone();
  });
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Read(), std::to_string(i));
  EXPECT_EQ(Read(), std::nullopt);
  writing.join();
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(BidiStreamCallTest, RepliesOfOtherThreadsLoseAndReorderNothing) {
  const auto exchange = Open();
  exchange->Answer();
  std::vector<std::thread> senders;
  for (const char* name : {"a", "b"}) {
    senders.emplace_back([&exchange, name] {
      for (int i = 0; i < 1000; ++i) exchange->Send(Reply(name + std::to_string(i)));
    });
  }
  int next[2] = {0, 0};
  for (int i = 0; i < 2000; ++i) {
    const std::optional<std::string> reply = Read();
    ASSERT_TRUE(reply.has_value());
    int& count = next[(*reply)[0] - 'a'];
    EXPECT_EQ(reply->substr(1), std::to_string(count++));
  }
  for (std::thread& sender : senders) sender.join();
  exchange->Send(grpc::ByteBuffer());
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(BidiStreamCallTest, RepliesThatLeaveTogetherAllLeave) {
  const auto exchange = Open();
  // More than wait for one another, and a large one among them; none that makes the last one leave.
  std::vector<std::string> replies;
  for (int i = 0; i < 40; ++i)
    replies.push_back(std::to_string(i) + (i == 20 ? std::string(1 << 20, 'x') : ""));
  for (const std::string& reply : replies) exchange->Send(Reply(reply));
  exchange->Answer();
  for (const std::string& reply : replies) ASSERT_EQ(Read(), reply);
  exchange->Send(grpc::ByteBuffer());
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(BidiStreamCallTest, TakesARequestOnlyWhenItIsAskedFor) {
  const auto exchange = Open();
  exchange->Answer();
  for (const char* method : {"one", "two", "three"}) ASSERT_TRUE(Write(method));
  exchange->Read();
  EXPECT_TRUE(exchange->AwaitRead(1));
  Ping();
  EXPECT_EQ(exchange->reads(), 1);
  exchange->Read();
  EXPECT_TRUE(exchange->AwaitRead(2));
  exchange->Send(grpc::ByteBuffer());
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(BidiStreamCallTest, AsksForRepliesOnlyAsTheClientTakesThem) {
  const auto exchange = Open();
  exchange->Answer();
  constexpr size_t kReplies = 200;
  for (size_t i = 0; i < kReplies; ++i) exchange->Send(Reply(std::string(1 << 20, 'x')));
  exchange->Send(grpc::ByteBuffer());
  Ping();
  EXPECT_GT(exchange->replies_left(), kReplies / 2);
  for (size_t i = 0; i < kReplies; ++i) ASSERT_EQ(Read()->size(), 1u << 20);
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(BidiStreamCallTest, ReadThatIsPendingEndsWhenTheClientCancels) {
  const auto exchange = Open();
  exchange->Answer();
  exchange->Read();
  context_->TryCancel();
  EXPECT_FALSE(exchange->AwaitRead(1));
  while (exchange->Check().ok()) std::this_thread::yield();
  EXPECT_EQ(exchange->Check().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(BidiStreamCallTest, ClientThatGoesWhileNothingIsPendingEndsTheCall) {
  std::weak_ptr<Exchange> held;
  {
    const auto exchange = Open();
    exchange->Answer();
    held = exchange;
  }
  context_->TryCancel();
  while (!held.expired()) std::this_thread::yield();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(BidiStreamCallTest, WriteThatIsPendingEndsWhenTheClientCancels) {
  std::weak_ptr<Exchange> held;
  {
    const auto exchange = Open();
    exchange->Answer();
    for (int i = 0; i < 100; ++i) exchange->Send(Reply(std::string(1 << 20, 'x')));
    held = exchange;
  }
  Ping();
  EXPECT_FALSE(held.expired());
  context_->TryCancel();
  while (!held.expired()) std::this_thread::yield();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(BidiStreamCallTest, ClientThatGoesBeforeItIsAnsweredLeavesNothing) {
  auto exchange = Open();
  exchange->Read();
  context_->TryCancel();
  EXPECT_FALSE(exchange->AwaitRead(1));
  while (exchange->Check().ok()) std::this_thread::yield();
  exchange->Answer();
  std::weak_ptr<Exchange> held = exchange;
  exchange = nullptr;
  while (!held.expired()) std::this_thread::yield();
}

TEST_F(BidiStreamCallTest, ErrorEndsTheCallWhileTheClientStillWrites) {
  const auto exchange = Open();
  exchange->Answer();
  exchange->Read();
  std::thread writing([this] {
    const std::string large(100'000, 'x');
    while (Write(large)) {
    }
  });
  EXPECT_TRUE(exchange->AwaitRead(1));
  exchange->Read();  // Under way, or ended, when the error goes out.
  exchange->Send(Reply("first"));
  exchange->Send(absl::DataLossError("enough"));
  EXPECT_EQ(Read(), "first");
  EXPECT_EQ(Read(), std::nullopt);
  writing.join();
  const grpc::Status status = stream_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS) << status.error_message();
  exchange->AwaitRead(2);
}

TEST_F(BidiStreamCallTest, PendingReadEndsWhenTheCallIsAnswered) {
  const auto exchange = Open();
  exchange->Answer();
  exchange->Read();
  exchange->Send(absl::FailedPreconditionError("not now"));
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_FALSE(exchange->AwaitRead(1));
}

// Counts the times that it was told of a drain.
TEST(CallWhenDraining, IsToldOnceAndAtOnceWhenTheServerDrainsAlready) {
  absl::Notification came;
  absl::Notification told;
  absl::Mutex mutex;
  std::shared_ptr<BidiStreamCall> held;
  TestServer server(nullptr);
  server.HandleStepStream([&](std::shared_ptr<BidiStreamCall> call) {
    call->WhenDraining([&] { told.Notify(); });  // A second time would crash.
    const absl::MutexLock lock(&mutex);
    held = std::move(call);
    came.Notify();
  });
  server.Start();
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->StepStream(&context);
  came.WaitForNotification();
  std::thread stopping([&] { EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong)); });
  told.WaitForNotification();
  bool told_at_once = false;
  held->WhenDraining([&] { told_at_once = true; });
  EXPECT_TRUE(told_at_once);

  grpc::ClientContext other_context;
  const auto refused = stub->StepStream(&other_context);
  v1::StepStreamResponse reply;
  EXPECT_FALSE(refused->Read(&reply));
  const grpc::Status status = refused->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_details(), HasSubstr("DRAINING"));

  std::exchange(held, nullptr)->Answer(Call::Draining());
  EXPECT_FALSE(stream->Read(&reply));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopping.join();
}

TEST_F(BidiStreamCallTest, StopCancelsAStreamThatOutlivesItsDeadline) {
  auto exchange = Open();
  exchange->Answer();
  exchange->Read();
  stopped_ = true;
  std::thread ending([&] {
    EXPECT_FALSE(exchange->AwaitRead(1));
    exchange = nullptr;
  });
  EXPECT_TRUE(server_.rpcs().Stop(absl::Now()));
  ending.join();
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_FALSE(stream_->Finish().ok());
}

}  // namespace
}  // namespace stepwell::server
