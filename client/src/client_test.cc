#include "stepwell/client/client.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/test/mock_stream.h"
#include "gtest/gtest.h"
#include "stepwell/v1/branch_service_mock.grpc.pb.h"
#include "stepwell/v1/error.pb.h"
#include "stepwell/v1/model_service_mock.grpc.pb.h"
#include "stepwell/v1/state_service_mock.grpc.pb.h"

namespace stepwell::client {
namespace {

using ::testing::_;
using ::testing::DoAll;
using ::testing::Return;
using ::testing::SaveArg;
using ::testing::SetArgPointee;

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "no server");

// The header of one float32 array "a" of two elements, from version 7.
v1::ReadArraysResponse TwoFloatsHeader() {
  v1::ReadArraysResponse message;
  v1::ReadArraysResponse::Header& header = *message.mutable_header();
  header.set_version(7);
  header.set_byte_count(8);
  v1::ReadArraysResponse::Header::ArrayHeader& array = *header.add_arrays();
  array.set_name("a");
  array.set_dtype(v1::FLOAT32);
  array.add_shape(2);
  array.set_byte_count(8);
  return message;
}

v1::ReadArraysResponse Data(std::string bytes) {
  v1::ReadArraysResponse message;
  message.set_data(std::move(bytes));
  return message;
}

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    auto states = std::make_unique<v1::MockStateServiceStub>();
    states_ = states.get();
    ClientOptions options;
    options.retry = {.max_attempts = 4,
                     .initial_backoff = absl::Milliseconds(100),
                     .multiplier = 2,
                     .max_backoff = absl::Milliseconds(300)};
    options.sleep = [this](absl::Duration pause) { pauses_.push_back(pause); };
    client_ = std::make_unique<Client>(
        Client::Stubs{std::make_unique<v1::MockModelServiceStub>(), std::move(states),
                      std::make_unique<v1::MockBranchServiceStub>()},
        std::move(options));
  }

  // A stream of ReadArrays that sends `messages` and ends with `status`; `sent` gets the request.
  void ExpectReadArrays(std::vector<v1::ReadArraysResponse> messages, const grpc::Status& status,
                        v1::ReadArraysRequest* sent = nullptr) {
    EXPECT_CALL(*states_, ReadArraysRaw(_, _))
        .WillOnce([=](grpc::ClientContext*, const v1::ReadArraysRequest& request) {
          if (sent != nullptr) *sent = request;
          auto* const stream = new grpc::testing::MockClientReader<v1::ReadArraysResponse>();
          auto& reads = EXPECT_CALL(*stream, Read(_)).Times(static_cast<int>(messages.size()) + 1);
          for (const v1::ReadArraysResponse& message : messages) {
            reads.WillOnce(DoAll(SetArgPointee<0>(message), Return(true)));
          }
          reads.WillOnce(Return(false));
          EXPECT_CALL(*stream, Finish()).WillOnce(Return(status));
          return stream;
        })
        .RetiresOnSaturation();
  }

  v1::MockStateServiceStub* states_;
  mutable std::vector<absl::Duration> pauses_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, StepSendsWhatItWasGiven) {
  v1::StepRequest sent;
  v1::StepResponse reply;
  reply.set_version(8);
  v1::NamedArray& output = *reply.add_outputs();
  output.set_name("y");
  output.mutable_array()->set_dtype(v1::FLOAT32);
  output.mutable_array()->add_shape(2);
  const float values[] = {1.5f, -2};
  output.mutable_array()->set_data(values, sizeof(values));
  EXPECT_CALL(*states_, Step(_, _, _))
      .WillOnce(DoAll(SaveArg<1>(&sent), SetArgPointee<2>(reply), Return(grpc::Status::OK)));

  const absl::StatusOr<StepResult> result = client_->Step({.state = Version{7},
                                                           .inputs = {{"x", Array::Scalar<int32_t>(3)}},
                                                           .fetch = {{IndexSubtree{"norm"}, {{.start = 1}}}},
                                                           .keep = false,
                                                           .labels = {{"run", "a"}}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->version, Version{8});
  EXPECT_EQ(result->outputs[0].first, "y");
  EXPECT_EQ(result->outputs[0].second.As<float>().value()[1], -2);
  EXPECT_EQ(sent.state().version(), 7);
  EXPECT_EQ(sent.method(), "step");
  EXPECT_EQ(sent.inputs(0).name(), "x");
  EXPECT_EQ(sent.inputs(0).array().dtype(), v1::INT32);
  EXPECT_EQ(sent.inputs(0).array().data(), std::string("\3\0\0\0", 4));
  EXPECT_EQ(sent.fetch(0).index().subtree(), "norm");
  EXPECT_EQ(sent.fetch(0).slices(0).start(), 1);
  EXPECT_FALSE(sent.fetch(0).slices(0).has_stop());
  EXPECT_TRUE(sent.has_keep());
  EXPECT_FALSE(sent.keep());
  EXPECT_EQ(sent.labels().at("run"), "a");
}

TEST_F(ClientTest, EveryCallHasADeadline) {
  absl::Time deadline;
  EXPECT_CALL(*states_, GetSnapshot(_, _, _))
      .WillRepeatedly([&](grpc::ClientContext* context, const auto&, auto*) {
        deadline = absl::FromChrono(context->deadline());
        return grpc::Status::OK;
      });
  const absl::Time before = absl::Now();
  ASSERT_TRUE(client_->GetSnapshot(Version{1}).ok());
  EXPECT_GE(deadline, before + absl::Seconds(30) - absl::Milliseconds(1));
  EXPECT_LE(deadline, absl::Now() + absl::Seconds(30));
  ASSERT_TRUE(client_->GetSnapshot(Version{1}, {.timeout = absl::Hours(1)}).ok());
  EXPECT_GE(deadline, before + absl::Hours(1) - absl::Milliseconds(1));
}

TEST_F(ClientTest, UnavailableReadIsRepeatedWithGrowingPauses) {
  EXPECT_CALL(*states_, GetArrays(_, _, _)).Times(4).WillRepeatedly(Return(kUnavailable));
  EXPECT_EQ(client_->GetArrays({.state = Version{1}}).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_EQ(pauses_.size(), 3u);
  const absl::Duration most[] = {absl::Milliseconds(100), absl::Milliseconds(200), absl::Milliseconds(300)};
  for (size_t i = 0; i < pauses_.size(); ++i) {
    EXPECT_GE(pauses_[i], most[i] / 2);
    EXPECT_LE(pauses_[i], most[i]);
  }
}

TEST_F(ClientTest, UnavailableStepIsNotRepeatedWithoutRequestId) {
  EXPECT_CALL(*states_, Step(_, _, _)).WillOnce(Return(kUnavailable));
  EXPECT_EQ(client_->Step({.state = Version{1}}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ClientTest, UnavailableStepIsRepeatedWithRequestId) {
  EXPECT_CALL(*states_, Step(_, _, _)).WillOnce(Return(kUnavailable)).WillOnce(Return(grpc::Status::OK));
  EXPECT_TRUE(client_->Step({.state = Version{1}, .request_id = "once"}).ok());
}

TEST_F(ClientTest, OtherErrorsAreNotRepeated) {
  EXPECT_CALL(*states_, GetArrays(_, _, _))
      .WillOnce(Return(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full")));
  EXPECT_EQ(client_->GetArrays({.state = Version{1}}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ClientTest, PausesEndWithTheDeadline) {
  EXPECT_CALL(*states_, GetArrays(_, _, _)).WillOnce(Return(kUnavailable));
  EXPECT_EQ(client_->GetArrays({.state = Version{1}}, {.timeout = absl::Milliseconds(10)}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(pauses_.empty());
}

TEST_F(ClientTest, ReasonAndMetadataComeWithTheError) {
  v1::ErrorInfo info;
  info.set_reason("HEAD_MOVED");
  (*info.mutable_metadata())["current_head"] = "9";
  v1::Status details;
  details.add_details()->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  details.mutable_details(0)->set_value(info.SerializeAsString());
  EXPECT_CALL(*states_, Step(_, _, _))
      .WillOnce(Return(grpc::Status(grpc::StatusCode::ABORTED, "moved", details.SerializeAsString())));
  const absl::Status status = client_->Step({.state = BranchName{"live"}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "moved");
  EXPECT_EQ(ErrorReason(status), "HEAD_MOVED");
  EXPECT_EQ(ErrorMetadata(status, "current_head"), "9");
  EXPECT_EQ(ErrorMetadata(status, "other"), "");
  EXPECT_EQ(ErrorReason(absl::InternalError("x")), "");
}

TEST_F(ClientTest, ArrayThatIsNoneIsInternal) {
  v1::GetArraysResponse reply;
  reply.add_arrays()->set_name("h");
  EXPECT_CALL(*states_, GetArrays(_, _, _))
      .WillOnce(DoAll(SetArgPointee<2>(reply), Return(grpc::Status::OK)));
  EXPECT_EQ(client_->GetArrays({.state = Version{1}}).status().code(), absl::StatusCode::kInternal);
}

TEST_F(ClientTest, ReadArraysGoesOnWhereAStreamBrokeAndTellsItsProgress) {
  v1::ReadArraysRequest first;
  v1::ReadArraysRequest second;
  // The latest expectation comes first.
  ExpectReadArrays({TwoFloatsHeader(), Data(std::string("\x80\x3f\0\0", 4)), Data(std::string("\0\x40", 2))},
                   grpc::Status::OK, &second);
  ExpectReadArrays({TwoFloatsHeader(), Data(std::string("\0\0", 2))}, kUnavailable, &first);
  std::vector<std::pair<int64_t, int64_t>> progress;
  const auto read = client_->ReadArrays(
      {.state = BranchName{"live"}, .selectors = {{IndexPath{"a"}, {}}}},
      {.on_progress = [&](int64_t received, int64_t total) { progress.emplace_back(received, total); }});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->version, Version{7});
  EXPECT_EQ(read->arrays.at(0).first, "a");
  EXPECT_EQ(read->arrays.at(0).second, Array::From<float>({2}, std::vector<float>{1, 2}).value());
  EXPECT_EQ(first.state().branch(), "live");
  EXPECT_EQ(first.byte_offset(), 0);
  EXPECT_EQ(second.state().version(), 7);  // The branch may have moved.
  EXPECT_EQ(second.byte_offset(), 2);
  EXPECT_EQ(second.selectors(0).index().path(), "a");
  EXPECT_EQ(pauses_.size(), 1u);
  EXPECT_EQ(progress, (std::vector<std::pair<int64_t, int64_t>>{{0, 8}, {2, 8}, {6, 8}, {8, 8}}));
}

}  // namespace
}  // namespace stepwell::client
