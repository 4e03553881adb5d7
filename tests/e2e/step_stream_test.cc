// StepStream through the wire, with the generated stub: what its messages say and when they come.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "stepwell/v1/state_service.grpc.pb.h"
#include "tests/e2e/server_fixture.h"

namespace stepwell::testing {
namespace {

using client::BranchName;
using client::Version;
using ::testing::HasSubstr;

v1::StateRef Ref(const client::StateRef& state) {
  v1::StateRef message;
  if (const auto* version = std::get_if<Version>(&state)) {
    message.set_version(version->value);
  } else {
    message.set_branch(std::get<BranchName>(state).value);
  }
  return message;
}

v1::StepStreamRequest CountStep(int32_t x) {
  v1::StepStreamRequest request;
  v1::NamedArray& input = *request.mutable_step()->add_inputs();
  input.set_name("x");
  input.mutable_array()->set_dtype(v1::INT32);
  input.mutable_array()->set_data(&x, sizeof(x));
  return request;
}

int32_t Output(const v1::StepStreamResponse& reply) {
  int32_t value = -1;
  const std::string& data = reply.response().outputs(0).array().data();
  EXPECT_EQ(data.size(), sizeof(value));
  data.copy(reinterpret_cast<char*>(&value), sizeof(value));
  return value;
}

grpc::StatusCode CodeOf(const v1::StepStreamResponse& reply) {
  EXPECT_TRUE(reply.has_status()) << reply.DebugString();
  return static_cast<grpc::StatusCode>(reply.status().code());
}

std::optional<v1::ErrorInfo> InfoOf(const v1::StepStreamResponse& reply) {
  v1::ErrorInfo info;
  if (reply.status().details_size() != 1 || !info.ParseFromString(reply.status().details(0).value())) {
    return std::nullopt;
  }
  return info;
}

// The client's end of one stream.
class RawStream {
 public:
  explicit RawStream(v1::StateService::Stub& stub) : stream_(stub.StepStream(&context_)) {}

  bool Write(const v1::StepStreamRequest& request) { return stream_->Write(request); }
  void WritesDone() { stream_->WritesDone(); }
  std::optional<v1::StepStreamResponse> Read() {
    v1::StepStreamResponse reply;
    if (!stream_->Read(&reply)) return std::nullopt;
    return reply;
  }
  // The answer to one message.
  v1::StepStreamResponse Ask(const v1::StepStreamRequest& request) {
    EXPECT_TRUE(Write(request));
    const std::optional<v1::StepStreamResponse> reply = Read();
    EXPECT_TRUE(reply.has_value());
    return reply.value_or(v1::StepStreamResponse());
  }
  int64_t Open(const client::StateRef& state) {
    v1::StepStreamRequest request;
    *request.mutable_open()->mutable_state() = Ref(state);
    return Ask(request).opened();
  }
  grpc::Status Finish() { return stream_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StepStreamRequest, v1::StepStreamResponse>> stream_;
};

class StepStreamTest : public ServerTest {
 protected:
  StepStreamTest() : stub_(v1::StateService::NewStub(Channel())) {}

  // How a stream ends whose first message is `request`; none: it sends none.
  grpc::Status Refused(const std::optional<v1::StepStreamRequest>& request) {
    RawStream stream(*stub_);
    if (request.has_value()) stream.Write(*request);
    stream.WritesDone();
    EXPECT_FALSE(stream.Read().has_value());
    return stream.Finish();
  }
  static v1::Snapshot Get(const client::StateRef& state) {
    const auto snapshot = client_->GetSnapshot(state);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.value_or(v1::Snapshot());
  }

  std::unique_ptr<v1::StateService::Stub> stub_;
};

TEST_F(StepStreamTest, OnAVersionEachStepStartsWhereTheOneBeforeEnded) {
  const Version root = Make("counter");
  RawStream stream(*stub_);
  EXPECT_EQ(stream.Open(root), root.value);
  int64_t parent = root.value;
  for (int32_t i = 1; i <= 5; ++i) {
    const v1::StepStreamResponse reply = stream.Ask(CountStep(10));
    EXPECT_EQ(Output(reply), 10 * i);
    EXPECT_EQ(Get(Version{reply.response().version()}).parent(), parent);
    parent = reply.response().version();
  }
  stream.WritesDone();
  EXPECT_FALSE(stream.Read().has_value());
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(*Count(root), 0);
  EXPECT_EQ(*Count(Version{parent}), 50);
}

TEST_F(StepStreamTest, OnABranchEachStepMovesTheHead) {
  const Version root = Make("counter", "stream/moves");
  RawStream stream(*stub_);
  EXPECT_EQ(stream.Open(BranchName{"stream/moves"}), root.value);
  for (int32_t i = 1; i <= 3; ++i) {
    const int64_t version = stream.Ask(CountStep(1)).response().version();
    EXPECT_EQ(version, Get(BranchName{"stream/moves"}).version());
  }
  EXPECT_EQ(*Count(BranchName{"stream/moves"}), 3);
  stream.WritesDone();
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(StepStreamTest, PipelinedStepsAreAnsweredInOrderAndDrainAfterHalfClose) {
  constexpr int32_t kSteps = 3000;
  Make("counter", "stream/pipelined");
  RawStream stream(*stub_);
  stream.Open(BranchName{"stream/pipelined"});
  std::thread writing([&] {
    for (int32_t i = 0; i < kSteps; ++i) ASSERT_TRUE(stream.Write(CountStep(1)));
    stream.WritesDone();
  });
  for (int32_t i = 1; i <= kSteps; ++i) {
    const std::optional<v1::StepStreamResponse> reply = stream.Read();
    ASSERT_TRUE(reply.has_value());
    ASSERT_EQ(Output(*reply), i);
  }
  EXPECT_FALSE(stream.Read().has_value());
  writing.join();
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(Get(BranchName{"stream/pipelined"}).step_count(), kSteps);
}

TEST_F(StepStreamTest, BadStepFailsAloneAndInItsPlace) {
  const Version root = Make("counter", "stream/bad");
  RawStream stream(*stub_);
  stream.Open(BranchName{"stream/bad"});
  v1::StepStreamRequest other_name = CountStep(1);
  other_name.mutable_step()->mutable_inputs(0)->set_name("z");
  v1::StepStreamRequest no_array = CountStep(1);
  no_array.mutable_step()->mutable_inputs(0)->mutable_array()->set_data("abc");
  v1::StepStreamRequest no_method = CountStep(1);
  no_method.mutable_step()->set_method("nope");
  v1::StepStreamRequest no_index = CountStep(1);
  no_index.mutable_step()->add_fetch()->mutable_index()->set_position(7);
  v1::StepStreamRequest opens_again;
  *opens_again.mutable_open()->mutable_state() = Ref(root);
  const struct {
    v1::StepStreamRequest request;
    grpc::StatusCode code;
    const char* message;
  } cases[] = {
      {other_name, grpc::StatusCode::INVALID_ARGUMENT, "has no input \"z\""},
      {no_array, grpc::StatusCode::INVALID_ARGUMENT, "input \"x\""},
      {no_method, grpc::StatusCode::NOT_FOUND, "nope"},
      {no_index, grpc::StatusCode::OUT_OF_RANGE, "7"},
      {opens_again, grpc::StatusCode::INVALID_ARGUMENT, "the message is open, and the stream is"},
      {{}, grpc::StatusCode::INVALID_ARGUMENT, "neither open nor step"},
  };
  // All at once, each between two good ones.
  for (const auto& bad : cases) {
    ASSERT_TRUE(stream.Write(CountStep(1)));
    ASSERT_TRUE(stream.Write(bad.request));
  }
  int64_t version = root.value;
  int32_t count = 0;
  for (const auto& bad : cases) {
    SCOPED_TRACE(bad.message);
    const std::optional<v1::StepStreamResponse> good = stream.Read();
    ASSERT_TRUE(good.has_value());
    EXPECT_EQ(Output(*good), ++count);
    EXPECT_EQ(Get(Version{good->response().version()}).parent(), version);
    version = good->response().version();
    const std::optional<v1::StepStreamResponse> failed = stream.Read();
    ASSERT_TRUE(failed.has_value());
    EXPECT_EQ(CodeOf(*failed), bad.code);
    EXPECT_THAT(failed->status().message(), HasSubstr(bad.message));
  }
  EXPECT_EQ(Get(BranchName{"stream/bad"}).version(), version);
  EXPECT_EQ(InfoOf(stream.Ask(no_method))->reason(), "METHOD_NOT_FOUND");
  stream.WritesDone();
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(StepStreamTest, KeepFalseAndPureMethodsLeaveTheStreamWhereItIs) {
  const Version root = Make("counter", "stream/dry");
  RawStream stream(*stub_);
  stream.Open(BranchName{"stream/dry"});
  v1::StepStreamRequest dry = CountStep(5);
  dry.mutable_step()->set_keep(false);
  for (int i = 0; i < 2; ++i) {
    const v1::StepStreamResponse reply = stream.Ask(dry);
    EXPECT_EQ(Output(reply), 5);
    EXPECT_EQ(reply.response().version(), root.value);
  }
  EXPECT_EQ(Output(stream.Ask(CountStep(1))), 1);

  const Version norm = Make("conv_batchnorm");
  RawStream pure(*stub_);
  pure.Open(norm);
  v1::StepStreamRequest infer;
  infer.mutable_step()->set_method("infer");
  v1::NamedArray& input = *infer.mutable_step()->add_inputs();
  input.set_name("x");
  input.mutable_array()->set_dtype(v1::FLOAT32);
  for (const int64_t extent : {8, 1, 6, 6}) input.mutable_array()->add_shape(extent);
  input.mutable_array()->set_data(std::string(8 * 36 * sizeof(float), '\0'));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(pure.Ask(infer).response().version(), norm.value);
}

TEST_F(StepStreamTest, StepsFetchArraysAndLabelTheirSnapshots) {
  Make("counter", "stream/fetch");
  RawStream stream(*stub_);
  stream.Open(BranchName{"stream/fetch"});
  v1::StepStreamRequest request = CountStep(4);
  request.mutable_step()->add_fetch()->mutable_index()->set_path("count");
  request.mutable_step()->add_output_names("y");
  (*request.mutable_step()->mutable_labels())["run"] = "a";
  const v1::StepStreamResponse reply = stream.Ask(request);
  ASSERT_EQ(reply.response().fetched_size(), 1);
  EXPECT_EQ(reply.response().fetched(0).name(), "count");
  EXPECT_EQ(Get(BranchName{"stream/fetch"}).labels().at("run"), "a");
}

TEST_F(StepStreamTest, HeadThatAnotherCallMovedFailsEveryLaterStep) {
  const Version root = Make("counter", "stream/moved");
  RawStream stream(*stub_);
  stream.Open(BranchName{"stream/moved"});
  const int64_t own = stream.Ask(CountStep(1)).response().version();
  const auto other = client_->Step({.state = BranchName{"stream/moved"}, .inputs = {{"x", Int(10)}}});
  ASSERT_TRUE(other.ok()) << other.status();
  for (int i = 0; i < 2; ++i) {
    const v1::StepStreamResponse reply = stream.Ask(CountStep(1));
    EXPECT_EQ(CodeOf(reply), grpc::StatusCode::ABORTED);
    const std::optional<v1::ErrorInfo> info = InfoOf(reply);
    ASSERT_TRUE(info.has_value());
    EXPECT_EQ(info->reason(), "HEAD_MOVED");
    EXPECT_EQ(info->metadata().at("current_head"), std::to_string(other->version.value));
    EXPECT_EQ(info->metadata().at("expected_head"), std::to_string(own));
  }
  EXPECT_EQ(*Count(BranchName{"stream/moved"}), 11);
  RawStream again(*stub_);
  EXPECT_EQ(again.Open(BranchName{"stream/moved"}), other->version.value);
  EXPECT_EQ(Output(again.Ask(CountStep(1))), 12);
  EXPECT_NE(root.value, own);
}

TEST_F(StepStreamTest, StreamsOnOneBranchNeverStepTheSameVersion) {
  const Version root = Make("counter", "stream/race");
  std::vector<std::vector<int64_t>> acknowledged(4);
  std::vector<std::thread> clients;
  for (auto& versions : acknowledged) {
    clients.emplace_back([this, &versions] {
      for (int opened = 0; opened < 30; ++opened) {
        RawStream stream(*stub_);
        stream.Open(BranchName{"stream/race"});
        for (int i = 0; i < 10; ++i) ASSERT_TRUE(stream.Write(CountStep(1)));
        stream.WritesDone();
        while (const std::optional<v1::StepStreamResponse> reply = stream.Read()) {
          if (reply->has_response()) {
            versions.push_back(reply->response().version());
          } else {
            EXPECT_EQ(CodeOf(*reply), grpc::StatusCode::ABORTED);
          }
        }
        ASSERT_TRUE(stream.Finish().ok());
      }
    });
  }
  for (std::thread& client : clients) client.join();
  std::vector<int64_t> all;
  for (const auto& versions : acknowledged) all.insert(all.end(), versions.begin(), versions.end());
  std::sort(all.begin(), all.end());
  std::vector<int64_t> history;
  for (int64_t at = Get(BranchName{"stream/race"}).version(); at != root.value;
       at = Get(Version{at}).parent()) {
    history.push_back(at);
  }
  std::reverse(history.begin(), history.end());
  EXPECT_EQ(history, all);
  EXPECT_EQ(*Count(BranchName{"stream/race"}), static_cast<int32_t>(all.size()));
}

TEST_F(StepStreamTest, WhatCannotBeOpenedEndsTheCall) {
  const Version root = Make("counter", "stream/open");
  const auto open = [](const client::StateRef& state) {
    v1::StepStreamRequest request;
    *request.mutable_open()->mutable_state() = Ref(state);
    return request;
  };
  v1::StepStreamRequest wrong_head = open(BranchName{"stream/open"});
  wrong_head.mutable_open()->set_expected_head(root.value + 1);
  v1::StepStreamRequest head_of_version = open(root);
  head_of_version.mutable_open()->set_expected_head(root.value);
  v1::StepStreamRequest no_state;
  no_state.mutable_open();
  const struct {
    std::optional<v1::StepStreamRequest> request;
    grpc::StatusCode code;
    const char* message;
    const char* reason;
  } cases[] = {
      {open(Version{999999}), grpc::StatusCode::NOT_FOUND, "999999", "SNAPSHOT_UNKNOWN"},
      {open(BranchName{"nope"}), grpc::StatusCode::NOT_FOUND, "nope", "BRANCH_NOT_FOUND"},
      {open(Version{-1}), grpc::StatusCode::INVALID_ARGUMENT, "state.version is -1", ""},
      {no_state, grpc::StatusCode::INVALID_ARGUMENT, "state", ""},
      {wrong_head, grpc::StatusCode::ABORTED, "stream/open", "HEAD_MOVED"},
      {head_of_version, grpc::StatusCode::INVALID_ARGUMENT, "expected_head is given with a version", ""},
      {CountStep(1), grpc::StatusCode::INVALID_ARGUMENT, "the first message of the stream is not open", ""},
      {std::nullopt, grpc::StatusCode::INVALID_ARGUMENT, "the stream ended before its first message", ""},
  };
  for (const auto& bad : cases) {
    SCOPED_TRACE(bad.message);
    const grpc::Status status = Refused(bad.request);
    EXPECT_EQ(status.error_code(), bad.code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(bad.message));
    EXPECT_THAT(status.error_details(), HasSubstr(bad.reason));
  }
  RawStream stream(*stub_);
  v1::StepStreamRequest right_head = open(BranchName{"stream/open"});
  right_head.mutable_open()->set_expected_head(root.value);
  EXPECT_EQ(stream.Ask(right_head).opened(), root.value);
}

TEST_F(StepStreamTest, MessageOverTheLimitEndsTheStreamAtTheLastStep) {
  Make("counter", "stream/large");
  RawStream stream(*stub_);
  stream.Open(BranchName{"stream/large"});
  const int64_t version = stream.Ask(CountStep(1)).response().version();
  v1::StepStreamRequest large = CountStep(1);
  large.mutable_step()->set_method(std::string(70'000, 'x'));
  stream.Write(large);
  stream.WritesDone();
  EXPECT_FALSE(stream.Read().has_value());
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Get(BranchName{"stream/large"}).version(), version);
}

TEST_F(StepStreamTest, ClientThatTakesNoRepliesIsHeldUpAndLosesNothing) {
  // Each step answers with about 50 KB, all of them with more than any buffer on the way holds.
  constexpr int64_t kSteps = 1000;
  constexpr int64_t kRows = 6000;
  const auto made =
      client_->MakeState({.model = "mixed",
                          .arrays = {{"log", Floats({kRows, 2}, std::vector<float>(2 * kRows))}},
                          .rng_seed = 1,
                          .branch = "stream/slow"});
  ASSERT_TRUE(made.ok()) << made.status();
  v1::StepStreamRequest request;
  v1::NamedArray& row = *request.mutable_step()->add_inputs();
  row.set_name("x");
  row.mutable_array()->set_dtype(v1::FLOAT32);
  for (const int64_t extent : {1, 2}) row.mutable_array()->add_shape(extent);
  row.mutable_array()->set_data(std::string(8, '\0'));
  request.mutable_step()->add_fetch()->mutable_index()->set_path("log");
  RawStream stream(*stub_);
  stream.Open(BranchName{"stream/slow"});
  std::thread writing([&] {
    for (int64_t i = 0; i < kSteps; ++i) ASSERT_TRUE(stream.Write(request));
    stream.WritesDone();
  });
  // Until the branch stands still.
  int64_t steps = -1;
  for (int same = 0; same < 500; ++same) {
    const int64_t now = Get(BranchName{"stream/slow"}).step_count();
    if (now != steps) same = 0;
    steps = now;
  }
  EXPECT_LT(steps, kSteps);
  for (int64_t i = 1; i <= kSteps; ++i) {
    const std::optional<v1::StepStreamResponse> reply = stream.Read();
    ASSERT_TRUE(reply.has_value() && reply->has_response());
    ASSERT_EQ(reply->response().fetched(0).array().shape(0), kRows + i);
  }
  writing.join();
  EXPECT_FALSE(stream.Read().has_value());
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(StepStreamTest, BranchOfAClientThatVanishesIsAtTheLastCommittedStep) {
  for (const int taken : {0, 1, 50}) {
    const std::string branch = absl::StrCat("stream/vanish", taken);
    const Version root = Make("counter", branch);
    int64_t last = root.value;
    {
      RawStream stream(*stub_);
      stream.Open(BranchName{branch});
      for (int i = 0; i < 100; ++i) ASSERT_TRUE(stream.Write(CountStep(1)));
      for (int i = 0; i < taken; ++i) last = stream.Read()->response().version();
      stream.Cancel();
      EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::CANCELLED);
    }
    // What was answered is in the history; the branch goes on.
    const auto stepped = client_->Step({.state = BranchName{branch}, .inputs = {{"x", Int(0)}}});
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    int64_t at = stepped->version.value;
    while (at != last && at != root.value) at = Get(Version{at}).parent();
    EXPECT_EQ(at, last);
    const v1::Snapshot head = Get(BranchName{branch});
    EXPECT_EQ(head.step_count(), *Count(BranchName{branch}) + 1);
    EXPECT_GE(head.step_count(), taken + 1);
    EXPECT_LE(head.step_count(), 101);
  }
}

TEST_F(StepStreamTest, ServerThatStopsEndsIdleStreamsAtOnce) {
  ServerProcess server(repository_);
  const auto channel = grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials());
  const auto stub = v1::StateService::NewStub(channel);
  const auto client = client::Client::Connect({.address = server.address()});
  const auto made = client->MakeState({.model = "counter", .branch = "idle"});
  ASSERT_TRUE(made.ok()) << made.status();
  RawStream stream(*stub);
  stream.Open(BranchName{"idle"});
  EXPECT_EQ(Output(stream.Ask(CountStep(1))), 1);
  EXPECT_EQ(server.Stop(), 0);
  EXPECT_FALSE(stream.Read().has_value());
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_details(), HasSubstr("DRAINING"));
}

}  // namespace
}  // namespace stepwell::testing
