#include "server/health/health_service.h"

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace stepwell::server {
namespace {

namespace proto = grpc::health::v1;

class HealthServiceTest : public ::testing::Test {
 protected:
  HealthServiceTest() {
    EXPECT_TRUE(rpcs_.Start().ok());
    stub_ =
        proto::Health::NewStub(grpc::CreateChannel(rpcs_.addresses()[0], grpc::InsecureChannelCredentials()));
  }
  ~HealthServiceTest() override { EXPECT_TRUE(rpcs_.Stop(absl::Now() + absl::Minutes(2))); }

  grpc::Status Check(const std::string& service, proto::HealthCheckResponse& reply) {
    grpc::ClientContext context;
    proto::HealthCheckRequest request;
    request.set_service(service);
    return stub_->Check(&context, request, &reply);
  }

  RpcServer rpcs_{{.listen = {"127.0.0.1:0"}}};
  HealthService health_{rpcs_};
  std::unique_ptr<proto::Health::Stub> stub_;
};

TEST_F(HealthServiceTest, ServesOnceItIsStartedAndUntilItIsStopped) {
  proto::HealthCheckResponse reply;
  ASSERT_TRUE(Check("", reply).ok());
  EXPECT_EQ(reply.status(), proto::HealthCheckResponse::NOT_SERVING);
  health_.StartServing();
  ASSERT_TRUE(Check("", reply).ok());
  EXPECT_EQ(reply.status(), proto::HealthCheckResponse::SERVING);
  health_.StopServing();
  ASSERT_TRUE(Check("", reply).ok());
  EXPECT_EQ(reply.status(), proto::HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, UnknownServiceIsNotFound) {
  proto::HealthCheckResponse reply;
  const grpc::Status status = Check("nobody", reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), ::testing::HasSubstr("\"nobody\""));
}

TEST_F(HealthServiceTest, WatchIsToldEachChangeAndEndsWithTheServer) {
  grpc::ClientContext context;
  const auto watch = stub_->Watch(&context, proto::HealthCheckRequest());
  proto::HealthCheckResponse reply;
  ASSERT_TRUE(watch->Read(&reply));
  EXPECT_EQ(reply.status(), proto::HealthCheckResponse::NOT_SERVING);
  health_.StartServing();
  ASSERT_TRUE(watch->Read(&reply));
  EXPECT_EQ(reply.status(), proto::HealthCheckResponse::SERVING);
  health_.StopServing();
  ASSERT_TRUE(watch->Read(&reply));
  EXPECT_EQ(reply.status(), proto::HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&reply));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(HealthServiceTest, WatchWhoseClientGoesIsEnded) {
  grpc::ClientContext context;
  const auto watch = stub_->Watch(&context, proto::HealthCheckRequest());
  proto::HealthCheckResponse reply;
  ASSERT_TRUE(watch->Read(&reply));
  context.TryCancel();
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  // The destructor waits for every call: this one must not be among them.
}

TEST_F(HealthServiceTest, WatchOfAnUnknownServiceIsToldSo) {
  grpc::ClientContext context;
  proto::HealthCheckRequest request;
  request.set_service("nobody");
  const auto watch = stub_->Watch(&context, request);
  proto::HealthCheckResponse reply;
  ASSERT_TRUE(watch->Read(&reply));
  EXPECT_EQ(reply.status(), proto::HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
}

}  // namespace
}  // namespace stepwell::server
