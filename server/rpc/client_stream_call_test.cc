#include "server/rpc/client_stream_call.h"

#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/convert/encode.h"
#include "server/rpc/test_server.h"

namespace stepwell::server {
namespace {

using ClientStream = grpc::ClientWriter<v1::WriteArraysRequest>;

// Reads to the end, then calls `done` with the bytes that came.
void Count(std::shared_ptr<ClientStreamCall> call, int64_t bytes, absl::AnyInvocable<void(int64_t)> done) {
  ClientStreamCall& reading = *call;
  ReadRequest<v1::WriteArraysRequest>(
      reading, [call = std::move(call), bytes, done = std::move(done)](
                   absl::StatusOr<std::optional<v1::WriteArraysRequest>> request) mutable {
        if (!request.ok()) return call->Answer(request.status());
        if (!request->has_value()) return done(bytes);
        const auto more = static_cast<int64_t>((*request)->data().size());
        Count(std::move(call), bytes + more, std::move(done));
      });
}

bool Write(ClientStream& stream, size_t bytes) {
  v1::WriteArraysRequest request;
  request.set_data(std::string(bytes, 'x'));
  return stream.Write(request);
}

TEST(ClientStreamCall, AnswersWhenTheClientHasSentTheLastRequest) {
  TestServer server(nullptr);
  server.HandleWriteArrays([](std::shared_ptr<ClientStreamCall> call) {
    Count(call, 0, [call](int64_t bytes) {
      v1::WriteArraysResponse reply;
      reply.mutable_snapshot()->set_version(bytes);
      call->Answer(Serialize(reply));
    });
  });
  server.Start();
  const auto stub = server.NewStub();
  for (const int messages : {0, 1, 50}) {
    grpc::ClientContext context;
    v1::WriteArraysResponse reply;
    const auto stream = stub->WriteArrays(&context, &reply);
    for (int i = 0; i < messages; ++i) ASSERT_TRUE(Write(*stream, 100'000));
    stream->WritesDone();
    const grpc::Status status = stream->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(reply.snapshot().version(), messages * 100'000);
  }
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(ClientStreamCall, ErrorEndsTheCallWhileTheClientStillWrites) {
  for (const bool read_first : {false, true}) {
    TestServer server(nullptr);
    server.HandleWriteArrays([read_first](std::shared_ptr<ClientStreamCall> call) {
      if (!read_first) return call->Answer(absl::InvalidArgumentError("not this"));
      ClientStreamCall& reading = *call;
      reading.Read([call = std::move(call)](std::optional<grpc::ByteBuffer>) {
        call->Answer(absl::InvalidArgumentError("not this"));
      });
    });
    server.Start();
    const auto stub = server.NewStub();
    grpc::ClientContext context;
    v1::WriteArraysResponse reply;
    const auto stream = stub->WriteArrays(&context, &reply);
    while (Write(*stream, 100'000)) {
    }
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), "not this");
    EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
  }
}

TEST(ClientStreamCall, PendingReadEndsWhenTheCallIsAnswered) {
  absl::Notification ended;
  TestServer server(nullptr);
  server.HandleWriteArrays([&](const std::shared_ptr<ClientStreamCall>& call) {
    call->Read([&](std::optional<grpc::ByteBuffer> request) {
      EXPECT_FALSE(request.has_value());
      ended.Notify();
    });
    call->Answer(absl::OutOfRangeError("at once"));
  });
  server.Start();
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  v1::WriteArraysResponse reply;
  EXPECT_EQ(stub->WriteArrays(&context, &reply)->Finish().error_code(), grpc::StatusCode::OUT_OF_RANGE);
  ended.WaitForNotification();
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(ClientStreamCall, ClientThatVanishesEndsThePendingRead) {
  absl::Notification reading;
  absl::Notification ended;
  TestServer server(nullptr);
  server.HandleWriteArrays([&](std::shared_ptr<ClientStreamCall> call) {
    Count(call, 0, [&, call](int64_t bytes) {
      EXPECT_EQ(bytes, 10);
      while (call->context().Check().ok()) std::this_thread::yield();
      EXPECT_EQ(call->context().Check().code(), absl::StatusCode::kCancelled);
      call->Answer(absl::CancelledError("nobody hears it"));
      ended.Notify();
    });
    reading.Notify();
  });
  server.Start();
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  v1::WriteArraysResponse reply;
  const auto stream = stub->WriteArrays(&context, &reply);
  ASSERT_TRUE(Write(*stream, 10));
  reading.WaitForNotification();
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  ended.WaitForNotification();
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(ClientStreamCall, BytesThatAreNoRequestAreInvalid) {
  TestServer server(nullptr);
  server.HandleWriteArrays([](std::shared_ptr<ClientStreamCall> call) {
    Count(call, 0, [call](int64_t) { call->Answer(EmptyMessage()); });
  });
  server.Start();
  // A stub of another method's requests, under this one's name.
  const auto channel = grpc::CreateChannel(server.rpcs().addresses()[0], grpc::InsecureChannelCredentials());
  const grpc::internal::RpcMethod method("/stepwell.v1.StateService/WriteArrays",
                                         grpc::internal::RpcMethod::CLIENT_STREAMING, channel);
  grpc::ClientContext context;
  v1::WriteArraysResponse reply;
  const std::unique_ptr<grpc::ClientWriter<grpc::ByteBuffer>> stream(
      grpc::internal::ClientWriterFactory<grpc::ByteBuffer>::Create(channel.get(), method, &context, &reply));
  const grpc::Slice slice("\xFF\xFF\xFF\xFFnot a message");
  EXPECT_TRUE(stream->Write(grpc::ByteBuffer(&slice, 1)));
  stream->WritesDone();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(ClientStreamCall, IsRefusedWhileTheServerDrains) {
  absl::Notification arrived, came;
  std::shared_ptr<ClientStreamCall> held;
  TestServer server(nullptr);
  server.HandleWriteArrays([&](std::shared_ptr<ClientStreamCall> call) {
    held = std::move(call);
    held->WhenDraining([&] { came.Notify(); });
    arrived.Notify();
  });
  server.Start();
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  v1::WriteArraysResponse reply;
  const auto stream = stub->WriteArrays(&context, &reply);
  ASSERT_TRUE(Write(*stream, 10));
  arrived.WaitForNotification();  // Or it is this one that is refused.
  std::thread stopping([&] { EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong)); });
  came.WaitForNotification();
  grpc::ClientContext other_context;
  EXPECT_EQ(stub->WriteArrays(&other_context, &reply)->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  // The one that runs goes on.
  std::exchange(held, nullptr)->Answer(EmptyMessage());
  EXPECT_TRUE(stream->Finish().ok());
  stopping.join();
}

}  // namespace
}  // namespace stepwell::server
