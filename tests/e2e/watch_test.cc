// WatchBranches over a real network: slow watchers, those that vanish, servers that stop, connections that
// break.
#include <cstdlib>
#include <fstream>
#include <list>
#include <thread>

#include "absl/time/clock.h"
#include "stepwell/v1/branch_service.grpc.pb.h"
#include "tests/e2e/server_fixture.h"
#include "tests/e2e/tcp_proxy.h"

namespace stepwell::testing {
namespace {

using client::BranchEvent;
using client::BranchMove;
using client::BranchName;
using client::BranchPrefix;
using client::BranchWatch;
using client::Client;
using client::MissedMoves;
using client::Version;

// A watch as gRPC sees it, on a connection of its own whose buffers do not grow.
class RawWatch {
 public:
  RawWatch(const std::string& address, const v1::WatchBranchesRequest& request) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    stub_ = v1::BranchService::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
    reader_ = stub_->WatchBranches(&context_, request);
  }

  bool Read(v1::WatchBranchesResponse& message) { return reader_->Read(&message); }
  grpc::Status Finish() { return reader_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::BranchService::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<v1::WatchBranchesResponse>> reader_;
};

v1::WatchBranchesRequest Prefixed(const std::string& prefix) {
  v1::WatchBranchesRequest request;
  request.set_prefix(prefix);
  return request;
}

int64_t ResidentBytes(pid_t process) {
  std::ifstream file(absl::StrCat("/proc/", process, "/statm"));
  int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * getpagesize();
}

class WatchTest : public ServerTest {
 protected:
  static void MoveTo(const std::string& branch, Version head) {
    const auto moved = client_->UpdateBranch({.name = branch, .head = head});
    ASSERT_TRUE(moved.ok()) << moved.status();
  }
  static std::unique_ptr<Client> Through(const std::string& address) {
    return Client::Connect(
        {.address = address, .retry = {.max_attempts = 20, .initial_backoff = absl::Milliseconds(10)}});
  }
  static std::unique_ptr<BranchWatch> Open(Client& client, const client::WatchBranchesRequest& request) {
    auto watch = client.WatchBranches(request);
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *std::move(watch);
  }
  // The next event, which must be a move.
  static BranchMove NextMove(BranchWatch& watch) {
    const absl::StatusOr<BranchEvent> event = watch.Next();
    EXPECT_TRUE(event.ok()) << event.status();
    EXPECT_TRUE(std::holds_alternative<BranchMove>(*event));
    return std::get<BranchMove>(*event);
  }
};

TEST_F(WatchTest, WatchersThatNeverReadCostNoMemoryAndAreToldWhatTheyMissed) {
  constexpr int kWatchers = 50, kMoves = 6000, kRemembered = 500;
  // Under the address sanitizer, a server with its default would keep what it frees, and grow by that.
  setenv("ASAN_OPTIONS", "quarantine_size_mb=1:thread_local_quarantine_size_kb=64", /*replace=*/0);
  const ServerProcess server(repository_, {"--max-branch-moves", absl::StrCat(kRemembered)});
  const auto client = Client::Connect({.address = server.address()});
  const std::string name(128, 'a');
  const auto made = client->MakeState({.model = "counter", .branch = name});
  ASSERT_TRUE(made.ok()) << made.status();
  const Version root{made->snapshot().version()};
  std::list<RawWatch> watchers;
  v1::WatchBranchesResponse first;
  for (int i = 0; i < kWatchers; ++i) {
    watchers.emplace_back(server.address(), Prefixed("a"));
    ASSERT_TRUE(watchers.back().Read(first));
    EXPECT_EQ(first.moves_size(), 0);
  }
  const int64_t before = ResidentBytes(server.pid());
  for (int i = 0; i < kMoves; ++i) {
    ASSERT_TRUE(client->UpdateBranch({.name = name, .head = root}).ok());
  }
  // A copy of every move for every watcher would be more than 60 MB. What each may have under way, in gRPC
  // and in front of it, is about 0.4 MB.
  const int64_t grown = ResidentBytes(server.pid()) - before;
  RecordProperty("grown_bytes", absl::StrCat(grown));
  EXPECT_LT(grown, 32 << 20);

  int64_t position = first.position(), told = 0, missed = 0;
  v1::WatchBranchesResponse message;
  while (told + missed < kMoves) {
    ASSERT_TRUE(watchers.front().Read(message));
    if (message.has_missed()) {
      ASSERT_EQ(message.missed().after_position(), position);
      missed += message.missed().until_position() - position;
      position = message.missed().until_position();
    }
    for (const auto& move : message.moves()) {
      ASSERT_EQ(move.position(), ++position) << "neither told nor missed";
      ++told;
    }
    EXPECT_EQ(message.position(), position);
  }
  EXPECT_GT(missed, 0);
  EXPECT_GE(told, kRemembered);
  for (RawWatch& watcher : watchers) watcher.Cancel();
}

TEST_F(WatchTest, ServerThatStopsEndsItsWatchesAtOnce) {
  ServerProcess server(repository_);  // Running calls would have 10 s.
  std::list<RawWatch> watchers;
  v1::WatchBranchesResponse message;
  for (int i = 0; i < 10; ++i) {
    watchers.emplace_back(server.address(), Prefixed(""));
    ASSERT_TRUE(watchers.back().Read(message));
  }
  std::vector<std::thread> waiting;
  for (RawWatch& watcher : watchers) {
    waiting.emplace_back([&watcher] {
      v1::WatchBranchesResponse news;
      EXPECT_FALSE(watcher.Read(news));
      const grpc::Status status = watcher.Finish();
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
      EXPECT_THAT(status.error_details(), ::testing::HasSubstr("DRAINING"));
    });
  }
  const absl::Time start = absl::Now();
  std::thread stopping([&server] { EXPECT_EQ(server.Stop(), 0); });
  for (std::thread& thread : waiting) thread.join();
  EXPECT_LT(absl::Now() - start, absl::Seconds(8));
  watchers.clear();  // gRPC waits for connections that nobody reads from.
  stopping.join();
}

TEST_F(WatchTest, WatchesThatAreCancelledOrVanishMakeRoomForOthers) {
  const ServerProcess server(repository_, {"--max-watches", "2"});
  TcpProxy proxy(server.address());
  const auto client = Client::Connect({.address = server.address(), .retry = {.max_attempts = 1}});
  v1::WatchBranchesResponse message;
  RawWatch cancelled(server.address(), Prefixed(""));
  RawWatch vanished(proxy.address(), Prefixed(""));
  ASSERT_TRUE(cancelled.Read(message));
  ASSERT_TRUE(vanished.Read(message));
  ExpectError(client->WatchBranches({}).status(), absl::StatusCode::kResourceExhausted, "WATCH_LIMIT",
              "2 watches are open already");
  cancelled.Cancel();
  proxy.Cut();
  // Both places are free as soon as the server has heard of it.
  std::vector<std::unique_ptr<BranchWatch>> watches;
  while (watches.size() < 2) {
    auto watch = client->WatchBranches({});
    if (watch.ok()) {
      watches.push_back(*std::move(watch));
    } else {
      ExpectError(watch.status(), absl::StatusCode::kResourceExhausted, "WATCH_LIMIT");
    }
  }
}

TEST_F(WatchTest, RequestThatSaysNothingIsRefused) {
  RawWatch neither(server_->address(), {});
  v1::WatchBranchesResponse message;
  EXPECT_FALSE(neither.Read(message));
  EXPECT_EQ(neither.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::WatchBranchesRequest request = Prefixed("");
  request.set_after_version(0);
  RawWatch no_version(server_->address(), request);
  EXPECT_FALSE(no_version.Read(message));
  EXPECT_EQ(no_version.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(WatchTest, CutsLoseNothingAndRepeatNothing) {
  constexpr int kMoves = 500, kCuts = 5;
  TcpProxy proxy(server_->address());
  const auto through = Through(proxy.address());
  const Version root = Make("counter");
  const auto watch = Open(*through, {.branches = BranchName{"watch/cuts"}});
  ASSERT_TRUE(client_->CreateBranch({.name = "watch/cuts", .state = root}).ok());
  std::thread moving([&] {
    for (int i = 1; i < kMoves; ++i) {
      ASSERT_TRUE(client_->Step({.state = BranchName{"watch/cuts"}, .inputs = {{"x", Int(1)}}}).ok());
    }
  });
  std::optional<Version> head;
  for (int i = 1; i <= kMoves; ++i) {
    const BranchMove move = NextMove(*watch);
    ASSERT_EQ(move.previous_head, head);
    head = move.head;
    if (i % (kMoves / kCuts) == 0) proxy.Cut();
  }
  moving.join();
  EXPECT_EQ(head->value, client_->GetBranch("watch/cuts")->head());
}

TEST_F(WatchTest, PlaceThatIsTakenMeanwhileIsWaitedFor) {
  const ServerProcess server(repository_, {"--max-watches", "1"});
  TcpProxy proxy(server.address());
  const auto direct = Client::Connect({.address = server.address(), .retry = {.max_attempts = 1}});
  std::unique_ptr<BranchWatch> other;
  int pauses = 0;
  const auto through = Client::Connect({.address = proxy.address(),
                                        .retry = {.max_attempts = 2, .max_backoff = absl::Milliseconds(50)},
                                        .sleep = [&](absl::Duration pause) {
                                          if (++pauses == 5) other.reset();
                                          absl::SleepFor(pause);
                                        }});
  const auto watch = Open(*through, {.branches = BranchName{"watch/place"}});
  proxy.Cut();
  while (other == nullptr) {  // Until the server has heard of it.
    auto opened = direct->WatchBranches({});
    if (opened.ok()) other = *std::move(opened);
  }
  ASSERT_TRUE(direct->MakeState({.model = "counter", .branch = "watch/place"}).ok());
  EXPECT_EQ(NextMove(*watch).branch, "watch/place");
  EXPECT_GE(pauses, 5);
}

TEST_F(WatchTest, PositionIsWhereAnotherWatchGoesOn) {
  const Version root = Make("counter", "watch/position");
  auto watch = Open(*client_, {.branches = BranchName{"watch/position"}, .after = root});
  for (int i = 0; i < 3; ++i) MoveTo("watch/position", root);
  NextMove(*watch);
  const BranchMove second = NextMove(*watch);
  EXPECT_EQ(watch->position().value, second.position);
  const client::MovePosition position = watch->position();
  watch.reset();
  watch = Open(*client_, {.branches = BranchName{"watch/position"}, .after = position});
  EXPECT_EQ(NextMove(*watch).position, second.position + 1);
}

TEST_F(WatchTest, NextWaitsNoLongerThanItIsToldAndGoesOn) {
  const Version root = Make("counter");
  const auto watch = Open(*client_, {.branches = BranchName{"watch/timeout"}});
  EXPECT_EQ(watch->Next(absl::Milliseconds(20)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(watch->Next(absl::ZeroDuration()).status().code(), absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(client_->CreateBranch({.name = "watch/timeout", .state = root}).ok());
  EXPECT_EQ(NextMove(*watch).head, root);
}

TEST_F(WatchTest, CancelEndsANextThatWaits) {
  const auto watch = Open(*client_, {});
  std::thread cancelling([&] { watch->Cancel(); });
  while (true) {  // Other tests may have moved branches.
    const absl::StatusOr<BranchEvent> event = watch->Next();
    if (event.ok()) continue;
    EXPECT_EQ(event.status().code(), absl::StatusCode::kCancelled);
    break;
  }
  cancelling.join();
  EXPECT_EQ(watch->Next().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(WatchTest, ServerThatStartsAnewIsWatchedFromThereWithWordOfTheGap) {
  const std::string socket = absl::StrCat("unix:", (repository_ / ".watch.sock").string());
  std::unique_ptr<ServerProcess> server;
  const auto start = [&] {
    server = std::make_unique<ServerProcess>(repository_, std::vector<std::string>{"--listen", socket});
  };
  start();
  int pauses = 0;  // It is away for longer than a call is repeated.
  const auto client = Client::Connect({.address = socket,
                                       .retry = {.max_attempts = 2, .max_backoff = absl::Milliseconds(100)},
                                       .sleep = [&](absl::Duration pause) {
                                         if (++pauses == 5) start();
                                         absl::SleepFor(pause);
                                       }});
  ASSERT_TRUE(client->MakeState({.model = "counter", .branch = "before"}).ok());
  const auto watch = Open(*client, {});
  const int64_t position = watch->position().value;
  server.reset();
  const absl::StatusOr<BranchEvent> missed = watch->Next();
  ASSERT_TRUE(missed.ok()) << missed.status();
  ASSERT_TRUE(std::holds_alternative<MissedMoves>(*missed));
  EXPECT_EQ(std::get<MissedMoves>(*missed).after_position, position);
  EXPECT_GT(std::get<MissedMoves>(*missed).until_position, position);
  ASSERT_TRUE(client->MakeState({.model = "counter", .branch = "after"}).ok());
  EXPECT_EQ(NextMove(*watch).branch, "after");
}

TEST_F(WatchTest, WatchThatIsNotToResumeEndsWithTheConnection) {
  TcpProxy proxy(server_->address());
  const auto through = Through(proxy.address());
  const auto watch = Open(*through, {.branches = BranchName{"watch/once"}, .resume = false});
  proxy.Cut();
  EXPECT_EQ(watch->Next().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(watch->Next().status().code(), absl::StatusCode::kUnavailable);
  const auto nobody = Client::Connect({.address = "127.0.0.1:1", .retry = {.max_attempts = 1}});
  EXPECT_EQ(nobody->WatchBranches({}).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace stepwell::testing
