#include "stepwell/client/client.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
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

}  // namespace
}  // namespace stepwell::client
