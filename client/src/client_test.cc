#include "stepwell/client/client.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "client/src/convert.h"
#include "client/src/read_arrays_messages.h"
#include "gmock/gmock.h"
#include "grpcpp/test/mock_stream.h"
#include "gtest/gtest.h"
#include "stepwell/v1/admin_service_mock.grpc.pb.h"
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

const grpc::Status kNoServer(grpc::StatusCode::UNAVAILABLE, "no server");

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
        Stubs{std::make_unique<v1::MockModelServiceStub>(), std::move(states),
              std::make_unique<v1::MockBranchServiceStub>(), std::make_unique<v1::MockAdminServiceStub>()},
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
                                                           .check_finite = true,
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
  EXPECT_TRUE(sent.check_finite());
  EXPECT_EQ(sent.labels().at("run"), "a");
}

TEST_F(ClientTest, DiffSnapshotsSendsWhatItWasGivenAndIsRepeated) {
  v1::DiffSnapshotsRequest sent;
  v1::DiffSnapshotsResponse reply;
  reply.set_to_version(8);
  EXPECT_CALL(*states_, DiffSnapshots(_, _, _))
      .WillOnce(Return(kNoServer))
      .WillOnce(DoAll(SaveArg<1>(&sent), SetArgPointee<2>(reply), Return(grpc::Status::OK)));
  const auto diff = client_->DiffSnapshots(
      {.from = Version{7}, .to = BranchName{"live"}, .index = IndexPosition{2}, .include_same = true});
  ASSERT_TRUE(diff.ok()) << diff.status();
  EXPECT_EQ(diff->to_version(), 8);
  EXPECT_EQ(sent.from().version(), 7);
  EXPECT_EQ(sent.to().branch(), "live");
  EXPECT_EQ(sent.index().position(), 2);
  EXPECT_TRUE(sent.include_same());
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
  EXPECT_CALL(*states_, GetArrays(_, _, _)).Times(4).WillRepeatedly(Return(kNoServer));
  EXPECT_EQ(client_->GetArrays({.state = Version{1}}).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_EQ(pauses_.size(), 3u);
  const absl::Duration most[] = {absl::Milliseconds(100), absl::Milliseconds(200), absl::Milliseconds(300)};
  for (size_t i = 0; i < pauses_.size(); ++i) {
    EXPECT_GE(pauses_[i], most[i] / 2);
    EXPECT_LE(pauses_[i], most[i]);
  }
}

TEST_F(ClientTest, UnavailableStepIsNotRepeatedWithoutRequestId) {
  EXPECT_CALL(*states_, Step(_, _, _)).WillOnce(Return(kNoServer));
  EXPECT_EQ(client_->Step({.state = Version{1}}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ClientTest, UnavailableStepIsRepeatedWithRequestId) {
  EXPECT_CALL(*states_, Step(_, _, _)).WillOnce(Return(kNoServer)).WillOnce(Return(grpc::Status::OK));
  EXPECT_TRUE(client_->Step({.state = Version{1}, .request_id = "once"}).ok());
}

TEST_F(ClientTest, OtherErrorsAreNotRepeated) {
  EXPECT_CALL(*states_, GetArrays(_, _, _))
      .WillOnce(Return(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full")));
  EXPECT_EQ(client_->GetArrays({.state = Version{1}}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ClientTest, PausesEndWithTheDeadline) {
  EXPECT_CALL(*states_, GetArrays(_, _, _)).WillOnce(Return(kNoServer));
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
  ExpectReadArrays({HeaderMessage(), DataMessage(std::string("\x80\x3f\0\0", 4)),
                    DataMessage(std::string("\0\x40\5\0", 4))},
                   grpc::Status::OK, &second);
  ExpectReadArrays({HeaderMessage(), DataMessage(std::string("\0\0", 2))}, kNoServer, &first);
  std::vector<std::pair<int64_t, int64_t>> progress;
  const auto read = client_->ReadArrays(
      {.state = BranchName{"live"}, .selectors = {{IndexPath{"a"}, {}}}},
      {.on_progress = [&](int64_t received, int64_t total) { progress.emplace_back(received, total); }});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->version, Version{7});
  ASSERT_EQ(read->arrays.size(), 3u);
  EXPECT_EQ(read->arrays[0].first, "a");
  EXPECT_EQ(read->arrays[0].second, Array::From<float>({2}, std::vector<float>{1, 2}).value());
  EXPECT_EQ(read->arrays[1].second, Array::Zeros(DType::kFloat64, Shape::Of({0})));
  EXPECT_EQ(read->arrays[2].second, Array::From<int16_t>({1}, std::vector<int16_t>{5}).value());
  EXPECT_EQ(first.state().branch(), "live");
  EXPECT_EQ(first.byte_offset(), 0);
  EXPECT_EQ(second.state().version(), 7);  // The branch may have moved.
  EXPECT_EQ(second.byte_offset(), 2);
  EXPECT_EQ(second.selectors(0).index().path(), "a");
  EXPECT_EQ(pauses_.size(), 1u);
  EXPECT_EQ(progress, (std::vector<std::pair<int64_t, int64_t>>{{0, 10}, {2, 10}, {6, 10}, {10, 10}}));
}

TEST_F(ClientTest, SinkGetsChunksCutAtTheArraysBounds) {
  ExpectReadArrays({HeaderMessage(), DataMessage("01234"), DataMessage("56789")}, grpc::Status::OK);
  RecordingSink sink;
  ASSERT_TRUE(client_->ReadArrays({.state = Version{7}}, sink).ok());
  EXPECT_EQ(sink.header.version, Version{7});
  EXPECT_EQ(sink.header.byte_count, 10);
  ASSERT_EQ(sink.header.entries.size(), 3u);
  EXPECT_EQ(sink.header.entries[2].name, "b");
  EXPECT_EQ(sink.header.entries[2].dtype, DType::kInt16);
  EXPECT_EQ(sink.header.entries[2].shape, Shape::Of({1}));
  EXPECT_EQ(sink.header.entries[2].byte_count, 2);
  EXPECT_EQ(sink.header.entries[2].position, 6);
  EXPECT_EQ(sink.chunks, (std::vector<RecordingSink::Chunk>{{0, 0, "01234"}, {0, 5, "567"}, {2, 0, "89"}}));
}

TEST_F(ClientTest, SinkThatFailsEndsTheRead) {
  auto* const stream = new grpc::testing::MockClientReader<v1::ReadArraysResponse>();
  EXPECT_CALL(*states_, ReadArraysRaw(_, _)).WillOnce(Return(stream));
  EXPECT_CALL(*stream, Read(_))
      .WillOnce(DoAll(SetArgPointee<0>(HeaderMessage()), Return(true)))
      .WillOnce(DoAll(SetArgPointee<0>(DataMessage("0123")), Return(true)))
      .WillOnce(DoAll(SetArgPointee<0>(DataMessage("4567")), Return(true)));
  EXPECT_CALL(*stream, Finish()).WillOnce(Return(grpc::Status::CANCELLED));
  RecordingSink sink;
  sink.fail_at = 1;
  EXPECT_EQ(client_->ReadArrays({.state = Version{7}}, sink), absl::UnavailableError("the disk is full"));
  EXPECT_EQ(sink.chunks, (std::vector<RecordingSink::Chunk>{{0, 0, "0123"}}));
  EXPECT_TRUE(pauses_.empty());  // Though a server's UNAVAILABLE would have been repeated.
}

TEST_F(ClientTest, StreamThatIsNotWhatItSaysIsInternal) {
  v1::ReadArraysResponse wrong_sum = HeaderMessage();
  wrong_sum.mutable_header()->set_byte_count(11);
  v1::ReadArraysResponse wrong_dtype = HeaderMessage();
  wrong_dtype.mutable_header()->mutable_arrays(0)->set_dtype(v1::DTYPE_UNSPECIFIED);
  v1::ReadArraysResponse wrong_bytes = HeaderMessage();
  wrong_bytes.mutable_header()->mutable_arrays(0)->set_byte_count(7);
  v1::ReadArraysResponse wrong_shape = HeaderMessage();
  wrong_shape.mutable_header()->mutable_arrays(0)->set_shape(0, -2);
  const struct {
    const char* message;
    std::vector<v1::ReadArraysResponse> messages;
    bool ends;
  } cases[] = {
      {"a header of 11 bytes whose arrays have 10", {wrong_sum}, false},
      {"\"a\" is no array", {wrong_dtype}, false},
      {"\"a\" is no array", {wrong_bytes}, false},
      {"\"a\" is no array", {wrong_shape}, false},
      {"that its header does not announce", {DataMessage("0")}, false},
      {"that its header does not announce", {HeaderMessage(), DataMessage("0123456789x")}, false},
      {"before all bytes had come", {HeaderMessage(), DataMessage("012345678")}, true},
      {"before all bytes had come", {}, true},
  };
  for (const auto& [text, messages, ends] : cases) {
    SCOPED_TRACE(text);
    auto* const stream = new grpc::testing::MockClientReader<v1::ReadArraysResponse>();
    EXPECT_CALL(*states_, ReadArraysRaw(_, _)).WillOnce(Return(stream)).RetiresOnSaturation();
    ::testing::Sequence order;
    for (const v1::ReadArraysResponse& message : messages) {
      EXPECT_CALL(*stream, Read(_))
          .InSequence(order)
          .WillOnce(DoAll(SetArgPointee<0>(message), Return(true)));
    }
    if (ends) EXPECT_CALL(*stream, Read(_)).InSequence(order).WillOnce(Return(false));
    EXPECT_CALL(*stream, Finish()).WillOnce(Return(grpc::Status::OK));
    const absl::Status status = client_->ReadArrays({.state = Version{7}}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(text));
  }
}

TEST(ConvertTest, ArraysShareTheReplysMemory) {
  const auto reply = std::make_shared<v1::StepResponse>();
  v1::Array& message = *reply->add_outputs()->mutable_array();
  message.set_dtype(v1::FLOAT32);
  message.add_shape(100);
  message.set_data(std::string(400, '\0'));
  absl::StatusOr<StepResult> result = FromProto(std::shared_ptr<const v1::StepResponse>(reply));
  ASSERT_TRUE(result.ok()) << result.status();
  const absl::Span<const float> elements = result->outputs.at(0).second.As<float>().value();
  EXPECT_EQ(static_cast<const void*>(elements.data()), message.data().data());
  EXPECT_EQ(elements.size(), 100u);
}

}  // namespace
}  // namespace stepwell::client
