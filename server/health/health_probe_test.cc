#include "server/health/health_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "server/health/health_service.h"
#include "server/rpc/rpc_server.h"

namespace stepwell::server {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kProbeTimeout = absl::Seconds(10);

// A port of this machine that nobody else can take: bound, and listening only if asked to.
class TakenPort {
 public:
  TakenPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~TakenPort() { close(socket_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;

  void Listen() { EXPECT_EQ(listen(socket_, 8), 0); }
  const std::string& address() const { return address_; }

 private:
  const int socket_;
  std::string address_;
};

class HealthProbeTest : public ::testing::Test {
 protected:
  void Start(const std::string& listen) {
    server_ = std::make_unique<RpcServer>(RpcServerOptions{.listen = {listen}});
    health_ = std::make_unique<HealthService>(*server_);
    ASSERT_TRUE(server_->Start().ok());
  }
  void TearDown() override {
    if (server_ != nullptr) {
      EXPECT_TRUE(server_->Stop(absl::Now()));
    }
  }

  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<HealthService> health_;
};

TEST_F(HealthProbeTest, ServingServerIsOk) {
  Start("127.0.0.1:0");
  health_->StartServing();
  EXPECT_EQ(ProbeHealth(server_->addresses()[0], kProbeTimeout), absl::OkStatus());
}

TEST_F(HealthProbeTest, UnixSocketIsAsked) {
  const std::string path = absl::StrCat("unix:", ::testing::TempDir(), "/health_probe_", getpid(), ".sock");
  Start(path);
  health_->StartServing();
  EXPECT_EQ(ProbeHealth(path, kProbeTimeout), absl::OkStatus());
}

TEST_F(HealthProbeTest, ServerThatDoesNotServeIsFailedPrecondition) {
  Start("127.0.0.1:0");
  health_->StartServing();
  health_->StopServing();
  const absl::Status status = ProbeHealth(server_->addresses()[0], kProbeTimeout);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), absl::StrCat(server_->addresses()[0], " says NOT_SERVING"));
}

TEST_F(HealthProbeTest, NobodyListeningIsUnavailable) {
  const TakenPort port;
  const absl::Status status = ProbeHealth(port.address(), kProbeTimeout);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(port.address()));
}

TEST_F(HealthProbeTest, ListenerThatNeverAnswersIsDeadlineExceeded) {
  TakenPort port;
  port.Listen();
  const absl::Status status = ProbeHealth(port.address(), absl::Milliseconds(200));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr(port.address()));
}

TEST_F(HealthProbeTest, AddressOfNeitherFormIsInvalidArgument) {
  for (const char* address : {"", "localhost", "localhost:", ":7350", "localhost:http", "localhost:0",
                              "localhost:65536", "unix:"}) {
    const absl::Status status = ProbeHealth(address, kProbeTimeout);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_EQ(status.message(),
              absl::StrCat("the address is \"", address, "\"; expected HOST:PORT or unix:PATH"));
  }
}

// Who asks by reflection is shown the descriptor of the service that gRPC lists.
TEST(HealthDescriptorTest, StandardServiceIsDescribed) {
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName("grpc.health.v1.Health");
  ASSERT_NE(service, nullptr);
  EXPECT_NE(service->FindMethodByName("Check"), nullptr);
  EXPECT_NE(service->FindMethodByName("Watch"), nullptr);
}

}  // namespace
}  // namespace stepwell::server
