// The client's Stream over a network that breaks: every step is done once and answered once.
#include "stepwell/client/stream.h"

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/e2e/server_fixture.h"
#include "tests/e2e/tcp_proxy.h"

namespace stepwell::testing {
namespace {

using client::BranchName;
using client::Client;
using client::StepResult;
using client::Stream;
using client::StreamStep;
using client::Version;
using ::testing::HasSubstr;

StreamStep Add(int32_t x) { return {.inputs = {{"x", Int(x)}}}; }

class StreamTest : public ServerTest {
 protected:
  StreamTest() : proxy_(server_->address()) {
    through_ = Client::Connect({.address = proxy_.address(),
                                .retry = {.max_attempts = 10, .initial_backoff = absl::Milliseconds(10)}});
  }

  // A stream through the proxy on a new branch of that name.
  std::unique_ptr<Stream> OpenOn(const std::string& branch) {
    Make("counter", branch);
    auto stream = through_->OpenStream({.state = BranchName{branch}});
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  }
  static int32_t Output(const StepResult& result) {
    return result.outputs.at(0).second.As<int32_t>().value()[0];
  }
  // The output of the next answer, which must be one.
  static int32_t Next(Stream& stream) {
    const auto result = stream.Read();
    EXPECT_TRUE(result.has_value()) << stream.Finish();
    if (!result.has_value()) return -1;
    EXPECT_TRUE(result->ok()) << result->status();
    return result->ok() ? Output(**result) : -1;
  }
  static v1::Snapshot Head(const std::string& branch) {
    const auto snapshot = client_->GetSnapshot(BranchName{branch});
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.value_or(v1::Snapshot());
  }
  static void AwaitSteps(const std::string& branch, int64_t count) {
    while (Head(branch).step_count() < count) std::this_thread::yield();
  }
  // The branch's versions, oldest first, without the root.
  static std::vector<int64_t> History(const std::string& branch) {
    std::vector<int64_t> versions;
    v1::Snapshot at = Head(branch);
    while (at.has_parent()) {
      versions.insert(versions.begin(), at.version());
      at = *client_->GetSnapshot(Version{at.parent()});
    }
    return versions;
  }

  TcpProxy proxy_;
  std::unique_ptr<Client> through_;
};

TEST_F(StreamTest, AnswersStepsInOrderAndEnds) {
  const auto stream = OpenOn("client/order");
  EXPECT_EQ(stream->start().value, Head("client/order").version());
  std::thread writing([&] {
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(stream->Write(Add(1)).ok());
    stream->WritesDone();
  });
  for (int32_t i = 1; i <= 500; ++i) ASSERT_EQ(Next(*stream), i);
  EXPECT_FALSE(stream->Read().has_value());
  writing.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(Head("client/order").step_count(), 500);
  EXPECT_EQ(stream->Write(Add(1)).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StreamTest, StepThatFailsIsAnsweredAlone) {
  const auto stream = OpenOn("client/bad");
  ASSERT_TRUE(stream->Write(Add(1)).ok());
  ASSERT_TRUE(stream->Write({.method = "nope"}).ok());
  ASSERT_TRUE(stream->Write(Add(1)).ok());
  EXPECT_EQ(Next(*stream), 1);
  const auto failed = stream->Read();
  ASSERT_TRUE(failed.has_value());
  ExpectError(failed->status(), absl::StatusCode::kNotFound, "METHOD_NOT_FOUND", "nope");
  EXPECT_EQ(Next(*stream), 2);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(StreamTest, WhatCannotBeOpenedSaysWhy) {
  ExpectError(through_->OpenStream({.state = BranchName{"nope"}}).status(), absl::StatusCode::kNotFound,
              "BRANCH_NOT_FOUND");
  const Version root = Make("counter", "client/open");
  ExpectError(
      through_->OpenStream({.state = BranchName{"client/open"}, .expected_head = Version{root.value + 1}})
          .status(),
      absl::StatusCode::kAborted, "HEAD_MOVED");
  const auto nobody = Client::Connect({.address = "127.0.0.1:1", .retry = {.max_attempts = 1}});
  EXPECT_EQ(nobody->OpenStream({.state = root}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(StreamTest, AnswersThatWereLostAreFoundAgain) {
  const auto stream = OpenOn("client/lost");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Write(Add(1)).ok());
  std::vector<int64_t> versions;
  for (int32_t i = 1; i <= 3; ++i) {
    const auto result = stream->Read();
    ASSERT_TRUE(result.has_value() && result->ok());
    versions.push_back((*result)->version.value);
  }
  proxy_.LoseReplies();
  // Of these five, one fails, one is not kept, and three are committed.
  StreamStep dry = Add(1000);
  dry.keep = false;
  StreamStep fetching = Add(10);
  fetching.fetch = {{client::IndexPath{"count"}, {}}};
  ASSERT_TRUE(stream->Write(Add(10)).ok());
  ASSERT_TRUE(stream->Write({.inputs = {{"z", Int(1)}}}).ok());
  ASSERT_TRUE(stream->Write(dry).ok());
  ASSERT_TRUE(stream->Write(fetching).ok());
  ASSERT_TRUE(stream->Write(Add(10)).ok());
  AwaitSteps("client/lost", 6);
  proxy_.Cut();
  ASSERT_TRUE(stream->Write(Add(100)).ok());

  const auto next = [&](int32_t output) {
    const auto result = stream->Read();
    ASSERT_TRUE(result.has_value()) << stream->Finish();
    ASSERT_TRUE(result->ok()) << result->status();
    EXPECT_EQ(Output(**result), output);
    versions.push_back((*result)->version.value);
  };
  next(13);
  const auto failed = stream->Read();
  ASSERT_TRUE(failed.has_value());
  ExpectError(failed->status(), absl::StatusCode::kInvalidArgument, "", "has no input \"z\"");
  const auto not_kept = stream->Read();
  ASSERT_TRUE(not_kept.has_value() && not_kept->ok());
  EXPECT_EQ(Output(**not_kept), 1013);
  EXPECT_EQ((*not_kept)->version.value, versions.back());
  const auto fetched = stream->Read();
  ASSERT_TRUE(fetched.has_value() && fetched->ok());
  EXPECT_EQ(Output(**fetched), 23);
  EXPECT_EQ((*fetched)->fetched.at(0).second.As<int32_t>().value()[0], 23);
  versions.push_back((*fetched)->version.value);
  next(33);
  next(133);
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(History("client/lost"), versions);
}

TEST_F(StreamTest, LastAnswersThatWereLostAreFoundAfterWritesDone) {
  const auto stream = OpenOn("client/end");
  ASSERT_TRUE(stream->Write(Add(1)).ok());
  EXPECT_EQ(Next(*stream), 1);
  proxy_.LoseReplies();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(stream->Write(Add(1)).ok());
  stream->WritesDone();
  AwaitSteps("client/end", 3);
  proxy_.Cut();
  EXPECT_EQ(Next(*stream), 2);
  EXPECT_EQ(Next(*stream), 3);
  EXPECT_FALSE(stream->Read().has_value());
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(Head("client/end").step_count(), 3);
}

TEST_F(StreamTest, BranchThatOthersMovedDuringACutEndsTheStreamAfterItsOwnAnswers) {
  const auto stream = OpenOn("client/others");
  ASSERT_TRUE(stream->Write(Add(1)).ok());
  EXPECT_EQ(Next(*stream), 1);
  proxy_.LoseReplies();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(stream->Write(Add(1)).ok());
  AwaitSteps("client/others", 3);
  const auto other = client_->Step({.state = BranchName{"client/others"}, .inputs = {{"x", Int(100)}}});
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE(stream->Write(Add(1)).ok());
  proxy_.Cut();
  EXPECT_EQ(Next(*stream), 2);
  EXPECT_EQ(Next(*stream), 3);
  EXPECT_FALSE(stream->Read().has_value());
  ExpectError(stream->Finish(), absl::StatusCode::kAborted, "HEAD_MOVED", "client/others");
  ExpectError(stream->Write(Add(1)), absl::StatusCode::kFailedPrecondition, "");
  EXPECT_EQ(Head("client/others").version(), other->version.value);
}

TEST_F(StreamTest, HeadThatOthersMoveFailsTheStepsAlone) {
  const auto stream = OpenOn("client/moved");
  ASSERT_TRUE(client_->Step({.state = BranchName{"client/moved"}, .inputs = {{"x", Int(100)}}}).ok());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(stream->Write(Add(1)).ok());
    const auto failed = stream->Read();
    ASSERT_TRUE(failed.has_value());
    ExpectError(failed->status(), absl::StatusCode::kAborted, "HEAD_MOVED");
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(StreamTest, OnAVersionUnansweredStepsAreDoneAgain) {
  const Version root = Make("counter");
  auto stream = through_->OpenStream({.state = root});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(Add(1)).ok());
  EXPECT_EQ(Next(**stream), 1);
  proxy_.LoseReplies();
  ASSERT_TRUE((*stream)->Write(Add(1)).ok());
  proxy_.Cut();
  ASSERT_TRUE((*stream)->Write(Add(1)).ok());
  EXPECT_EQ(Next(**stream), 2);
  const auto last = (*stream)->Read();
  ASSERT_TRUE(last.has_value() && last->ok());
  EXPECT_EQ(Output(**last), 3);
  EXPECT_EQ(*Count((*last)->version), 3);
  EXPECT_EQ(client_->GetSnapshot((*last)->version)->step_count(), 3);
  EXPECT_TRUE((*stream)->Finish().ok());
}

TEST_F(StreamTest, WithoutResumeACutEndsTheStream) {
  Make("counter", "client/cut");
  auto stream = through_->OpenStream({.state = BranchName{"client/cut"}, .resume = false});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(Add(1)).ok());
  EXPECT_EQ(Next(**stream), 1);
  EXPECT_TRUE(Head("client/cut").labels().empty());
  proxy_.Cut();
  EXPECT_FALSE((*stream)->Read().has_value());
  EXPECT_EQ((*stream)->Finish().code(), absl::StatusCode::kUnavailable);
}

TEST_F(StreamTest, ServerThatStaysAwayEndsTheStream) {
  auto server = std::make_unique<ServerProcess>(repository_);
  const auto client = Client::Connect(
      {.address = server->address(), .retry = {.max_attempts = 2, .initial_backoff = absl::Milliseconds(1)}});
  ASSERT_TRUE(client->MakeState({.model = "counter", .branch = "away"}).ok());
  auto stream = client->OpenStream({.state = BranchName{"away"}}, {.timeout = absl::Milliseconds(500)});
  ASSERT_TRUE(stream.ok()) << stream.status();
  server = nullptr;
  ASSERT_TRUE((*stream)->Write(Add(1)).ok());
  EXPECT_FALSE((*stream)->Read().has_value());
  EXPECT_EQ((*stream)->Finish().code(), absl::StatusCode::kUnavailable);
}

TEST_F(StreamTest, ServerThatIsAwayForLongerThanACallIsRepeatedIsWaitedFor) {
  const std::filesystem::path data = repository_ / ".data";
  std::optional<ServerProcess> server;
  const auto start = [&](const std::string& listen) {
    server.emplace(repository_, std::vector<std::string>{"--data-dir", data.string()}, listen);
  };
  start("127.0.0.3:0");  // No other program connects from there and takes the port meanwhile.
  const std::string address = server->address();
  int pauses = 0;
  const auto client = Client::Connect({.address = address,
                                       .retry = {.max_attempts = 2, .max_backoff = absl::Milliseconds(100)},
                                       .sleep = [&](absl::Duration pause) {
                                         if (++pauses == 5) start(address);
                                         absl::SleepFor(pause);
                                       }});
  ASSERT_TRUE(
      client->MakeState({.model = "counter", .branch = "away", .durability = client::Durability::kSync})
          .ok());
  auto stream = client->OpenStream({.state = BranchName{"away"}, .durability = client::Durability::kSync});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(Add(1)).ok());
  EXPECT_EQ(Next(**stream), 1);
  server->Kill();
  ASSERT_TRUE((*stream)->Write(Add(1)).ok());
  EXPECT_EQ(Next(**stream), 2);
  EXPECT_GE(pauses, 5);
  EXPECT_TRUE((*stream)->Finish().ok());
}

TEST_F(StreamTest, AnswerThatDoesNotComeInTimeEndsTheStream) {
  Make("counter", "client/silent");
  auto stream =
      through_->OpenStream({.state = BranchName{"client/silent"}}, {.timeout = absl::Milliseconds(500)});
  ASSERT_TRUE(stream.ok()) << stream.status();
  proxy_.LoseReplies();
  ASSERT_TRUE((*stream)->Write(Add(1)).ok());
  EXPECT_FALSE((*stream)->Read().has_value());
  EXPECT_EQ((*stream)->Finish().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(StreamTest, CancelReleasesWhoeverWaits) {
  Make("counter", "client/cancel");
  auto opened = through_->OpenStream({.state = BranchName{"client/cancel"}, .max_outstanding = 1});
  ASSERT_TRUE(opened.ok()) << opened.status();
  Stream& stream = **opened;
  ASSERT_TRUE(stream.Write(Add(1)).ok());
  std::thread writing([&] { EXPECT_EQ(stream.Write(Add(1)).code(), absl::StatusCode::kCancelled); });
  stream.Cancel();
  writing.join();
  EXPECT_EQ(stream.Finish().code(), absl::StatusCode::kCancelled);
}

TEST_F(StreamTest, StreamThatIsDroppedLeavesNothingBehind) {
  const auto stream = OpenOn("client/dropped");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(stream->Write(Add(1)).ok());
}

}  // namespace
}  // namespace stepwell::testing
