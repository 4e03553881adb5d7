#include "server/rpc/rpc_server.h"

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "server/rpc/test_server.h"

namespace stepwell::server {
namespace {

using ::testing::HasSubstr;

grpc::Status Step(v1::StateService::Stub& stub) {
  grpc::ClientContext context;
  v1::StepResponse reply;
  return stub.Step(&context, {}, &reply);
}
grpc::Status Ping(v1::StateService::Stub& stub) {
  grpc::ClientContext context;
  v1::GetSnapshotResponse reply;
  return stub.GetSnapshot(&context, {}, &reply);
}

void Answer(std::shared_ptr<UnaryCall> call, v1::StepRequest&& /*request*/) { call->Answer(EmptyMessage()); }

TEST(RpcServer, ServesAndStops) {
  TestServer server(Answer);
  server.Start();
  const auto stub = server.NewStub();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Step(*stub).ok());
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
  EXPECT_EQ(Step(*stub).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(RpcServer, BytesThatAreNoRequestAreInvalid) {
  TestServer server(Answer);
  server.Start();
  const auto channel = grpc::CreateChannel(server.rpcs().addresses()[0], grpc::InsecureChannelCredentials());
  grpc::GenericStub stub(channel);
  const std::string bytes("\xFF\xFF\xFF\xFFnot a message");
  grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer reply;
  grpc::ClientContext context;
  absl::Notification answered;
  grpc::Status status;
  stub.UnaryCall(&context, "/stepwell.v1.StateService/Step", {}, &request, &reply, [&](grpc::Status s) {
    status = std::move(s);
    answered.Notify();
  });
  answered.WaitForNotification();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "the 17 bytes of the request are no stepwell.v1.StepRequest");
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(RpcServer, RequestOverTheLimitIsResourceExhausted) {
  TestServer server(Answer, nullptr, {.listen = {"127.0.0.1:0"}, .max_message_bytes = 1000});
  server.Start();
  const auto stub = server.NewStub();
  const auto step = [&](size_t bytes) {
    v1::StepRequest request;
    request.set_method(std::string(bytes, 'x'));
    grpc::ClientContext context;
    v1::StepResponse reply;
    return stub->Step(&context, request, &reply);
  };
  EXPECT_TRUE(step(900).ok());
  EXPECT_EQ(step(1100).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(step(900).ok());
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
}

TEST(RpcServer, StopRefusesNewCallsAndLetsRunningOnesFinish) {
  absl::Notification arrived;
  std::shared_ptr<UnaryCall> held;
  TestServer server([&](std::shared_ptr<UnaryCall> call, v1::StepRequest&&) {
    held = std::move(call);
    arrived.Notify();
  });
  server.Start();
  const auto stub = server.NewStub();
  std::thread running([&] {
    const grpc::Status status = Step(*stub);
    EXPECT_TRUE(status.ok()) << status.error_message();
  });
  arrived.WaitForNotification();
  std::thread stopping([&] { EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong)); });
  grpc::Status refused;
  while (refused.ok()) refused = Ping(*stub);  // Until the stop has begun.
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE) << refused.error_message();
  EXPECT_THAT(refused.error_details(), HasSubstr("DRAINING"));
  EXPECT_EQ(Ping(*server.NewStub()).error_code(), grpc::StatusCode::UNAVAILABLE);
  std::exchange(held, nullptr)->Answer(EmptyMessage());
  running.join();
  stopping.join();
}

TEST(RpcServer, StopCancelsWhatOutlivesItsDeadline) {
  absl::Notification arrived;
  std::shared_ptr<UnaryCall> held;
  TestServer server([&](std::shared_ptr<UnaryCall> call, v1::StepRequest&&) {
    held = std::move(call);
    arrived.Notify();
  });
  server.Start();
  const auto stub = server.NewStub();
  std::thread running([&] { EXPECT_FALSE(Step(*stub).ok()); });
  arrived.WaitForNotification();
  std::thread worker([&] {
    while (held->context().Check().ok()) std::this_thread::yield();
    EXPECT_EQ(held->context().Check().code(), absl::StatusCode::kCancelled);
    std::exchange(held, nullptr)->Answer(EmptyMessage());
  });
  EXPECT_TRUE(server.rpcs().Stop(absl::Now()));
  running.join();
  worker.join();
}

TEST(RpcServer, StopInAFloodOfCallsAnswersOrRefusesEach) {
  for (int round = 0; round < 20; ++round) {
    TestServer server(Answer);
    server.Start();
    std::vector<std::thread> clients;
    absl::Notification flowing;
    std::atomic<int> answered = 0;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] {
        const auto stub = server.NewStub();
        grpc::Status status;
        while ((status = Step(*stub)).ok()) {
          if (++answered == 20) flowing.Notify();
        }
        // gRPC cancels what comes while it closes the connections.
        EXPECT_TRUE(status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                    status.error_code() == grpc::StatusCode::CANCELLED)
            << status.error_code() << " " << status.error_message();
      });
    }
    flowing.WaitForNotification();
    EXPECT_TRUE(server.rpcs().Stop(round % 2 == 0 ? absl::Now() + kLong : absl::Now()));
    for (std::thread& client : clients) client.join();
  }
}

TEST(RpcServer, TwoServersDoNotShareAPort) {
  TestServer one(Answer);
  one.Start();
  const std::string& taken = one.rpcs().addresses()[0];
  for (const std::vector<std::string>& listen :
       {std::vector{taken}, std::vector{std::string("127.0.0.1:0"), taken}}) {
    TestServer two(Answer, nullptr, {.listen = listen});
    const absl::Status status = two.rpcs().Start();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("cannot listen on \"", taken, "\"")));
  }
  EXPECT_TRUE(Step(*one.NewStub()).ok());
  EXPECT_TRUE(one.rpcs().Stop(absl::Now() + kLong));
}

TEST(RpcServer, AddressThatIsNoneIsRefused) {
  for (const char* address : {"nowhere", "127.0.0.1:99999", "192.0.2.1:0", "unix:/nowhere/at/all"}) {
    TestServer server(Answer, nullptr, {.listen = {"127.0.0.1:0", address}});
    const absl::Status status = server.rpcs().Start();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << address;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("cannot listen on \"", address, "\"")));
  }
}

// A path for a socket, short enough for one.
std::string SocketPath() { return absl::StrCat("/tmp/stepwell_rpc_", getpid(), ".sock"); }

TEST(RpcServer, ListensOnSeveralAddresses) {
  const std::string path = SocketPath();
  TestServer server(Answer, nullptr, {.listen = {"unix:" + path, "127.0.0.1:0"}});
  server.Start();
  ASSERT_EQ(server.rpcs().addresses().size(), 2u);
  EXPECT_EQ(server.rpcs().addresses()[0], "unix:" + path);
  EXPECT_THAT(server.rpcs().addresses()[1], ::testing::MatchesRegex("127.0.0.1:[1-9][0-9]*"));
  for (const std::string& address : server.rpcs().addresses()) {
    const auto stub =
        v1::StateService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    EXPECT_TRUE(Step(*stub).ok()) << address;
  }
  EXPECT_TRUE(server.rpcs().Stop(absl::Now() + kLong));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(RpcServer, TwoServersDoNotShareASocketAndAStaleOneIsReplaced) {
  const std::string address = "unix:" + SocketPath();
  TestServer one(Answer, nullptr, {.listen = {address}});
  one.Start();
  TestServer two(Answer, nullptr, {.listen = {address}});
  const absl::Status status = two.rpcs().Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("cannot listen on \"", address, "\"")));
  EXPECT_TRUE(Step(*one.NewStub()).ok());
  // What a server that was killed leaves behind: a name that nobody listens on.
  std::filesystem::rename(SocketPath(), SocketPath() + ".moved");
  EXPECT_TRUE(one.rpcs().Stop(absl::Now() + kLong));
  std::filesystem::rename(SocketPath() + ".moved", SocketPath());
  TestServer three(Answer, nullptr, {.listen = {address}});
  three.Start();
  EXPECT_TRUE(Step(*three.NewStub()).ok());
  EXPECT_TRUE(three.rpcs().Stop(absl::Now() + kLong));
}

}  // namespace
}  // namespace stepwell::server
