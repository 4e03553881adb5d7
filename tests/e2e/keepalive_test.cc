// Who waits on a quiet connection learns that the other side is gone, though nothing closes the connection.
#include <memory>
#include <thread>
#include <variant>

#include "gtest/gtest.h"
#include "server/rpc/rpc_server.h"
#include "server/services/branch_service.h"
#include "server/services/state_service.h"
#include "stepwell/base/clock.h"
#include "stepwell/client/client.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/repository.h"
#include "stepwell/storage/memory_store.h"
#include "tests/e2e/tcp_proxy.h"

namespace stepwell::testing {
namespace {

using client::BranchEvent;
using client::BranchMove;
using client::BranchName;
using client::Client;

constexpr absl::Duration kShort = absl::Milliseconds(100);
constexpr absl::Duration kNever = absl::Hours(24);
constexpr absl::Duration kLong = absl::Minutes(2);  // Never reached.
constexpr int64_t kMaxBytes = 1 << 20;

// A server in this process that has room for two watches, and a proxy in front of it.
class Keepalive : public ::testing::Test {
 protected:
  // Serves on a free port, and asks a quiet client after that time.
  void Serve(absl::Duration keepalive_time) {
    ASSERT_TRUE(models_.Load("counter").ok());
    rpcs_ = std::make_unique<server::RpcServer>(server::RpcServerOptions{
        .listen = {"127.0.0.1:0"}, .keepalive_time = keepalive_time, .keepalive_timeout = kShort});
    states_ = std::make_unique<server::StateService>(&engine_, kMaxBytes, kMaxBytes, *rpcs_);
    branches_ = std::make_unique<server::BranchService>(&engine_, *rpcs_);
    ASSERT_TRUE(rpcs_->Start().ok());
    proxy_ = std::make_unique<TcpProxy>(rpcs_->addresses().at(0));
    ASSERT_TRUE(Await(engine_, &Engine::MakeState, {.model = "counter", .branch = "quiet"}).ok());
  }
  void TearDown() override {
    proxy_.reset();
    EXPECT_TRUE(rpcs_->Stop(absl::Now() + kLong));
  }

  // A client that asks a quiet server after that time.
  std::unique_ptr<Client> Through(absl::Duration keepalive_time) const {
    return Client::Connect({.address = proxy_->address(),
                            .retry = {.max_attempts = 100, .initial_backoff = absl::Milliseconds(1)},
                            .keepalive_time = keepalive_time,
                            .keepalive_timeout = kShort});
  }

  SystemClock clock_;
  MemoryStore store_;
  ModelRepository models_{{.root = STEPWELL_SOURCE_DIR "/examples/models"}};
  Engine engine_{{.max_watches = 2}, &store_, &models_, &clock_};
  std::unique_ptr<server::RpcServer> rpcs_;
  std::unique_ptr<server::StateService> states_;
  std::unique_ptr<server::BranchService> branches_;
  std::unique_ptr<TcpProxy> proxy_;
};

TEST_F(Keepalive, QuietWatchEndsWhenItsServerIsGone) {
  Serve(kNever);
  const auto client = Through(kShort);
  const auto watch = client->WatchBranches({.branches = BranchName{"quiet"}, .resume = false});
  ASSERT_TRUE(watch.ok()) << watch.status();
  proxy_->FallSilent();
  const absl::Status ended = (*watch)->Next(kLong).status();
  EXPECT_EQ(ended.code(), absl::StatusCode::kUnavailable) << ended;
}

TEST_F(Keepalive, QuietWatchGoesOnOverAnotherConnection) {
  Serve(kNever);
  const auto client = Through(kShort);
  const auto watch = client->WatchBranches({.branches = BranchName{"quiet"}});
  ASSERT_TRUE(watch.ok()) << watch.status();
  proxy_->FallSilent();
  const auto moved =
      Await(engine_, &Engine::Step,
            {.state = stepwell::BranchName{"quiet"}, .inputs = {{"x", Array::Scalar<int32_t>(1)}}});
  ASSERT_TRUE(moved.ok()) << moved.status();
  const absl::StatusOr<BranchEvent> event = (*watch)->Next(kLong);
  ASSERT_TRUE(event.ok()) << event.status();
  ASSERT_TRUE(std::holds_alternative<BranchMove>(*event));
  EXPECT_EQ(std::get<BranchMove>(*event).head->value, moved->snapshot->version().value());
}

TEST_F(Keepalive, QuietStreamEndsWhenItsServerIsGone) {
  Serve(kNever);
  const auto client = Through(kShort);
  const auto stream = client->OpenStream({.state = BranchName{"quiet"}, .resume = false});
  ASSERT_TRUE(stream.ok()) << stream.status();
  proxy_->FallSilent();
  EXPECT_FALSE((*stream)->Read().has_value());
  const absl::Status ended = (*stream)->Finish();
  EXPECT_EQ(ended.code(), absl::StatusCode::kUnavailable) << ended;
}

TEST_F(Keepalive, WatchWhoseClientIsGoneMakesRoomForAnother) {
  Serve(kShort);
  const auto client = Through(kNever);
  const auto gone = client->WatchBranches({.branches = BranchName{"quiet"}, .resume = false});
  ASSERT_TRUE(gone.ok()) << gone.status();
  const auto kept = Await(engine_, &Engine::WatchBranches, {});
  ASSERT_TRUE(kept.ok()) << kept.status();
  proxy_->FallSilent();
  auto other = Await(engine_, &Engine::WatchBranches, {});
  while (absl::IsResourceExhausted(other.status())) {
    std::this_thread::yield();
    other = Await(engine_, &Engine::WatchBranches, {});
  }
  EXPECT_TRUE(other.ok()) << other.status();
}

}  // namespace
}  // namespace stepwell::testing
