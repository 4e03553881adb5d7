#include "server/convert/decode.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::server {
namespace {

using ::testing::HasSubstr;

v1::Array FloatArray(std::vector<int64_t> shape, size_t bytes) {
  v1::Array message;
  message.set_dtype(v1::FLOAT32);
  message.mutable_shape()->Add(shape.begin(), shape.end());
  message.set_data(std::string(bytes, '\0'));
  return message;
}

void ExpectInvalid(const absl::Status& status, const char* what) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

TEST(DecodeArrayTest, TakesOverTheBytes) {
  v1::Array message = FloatArray({50}, 200);
  const void* data = message.data().data();
  const absl::StatusOr<Array> array = DecodeArray("input", "x", std::move(message));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->shape(), Shape::Of({50}));
  EXPECT_EQ(static_cast<const void*>(array->bytes().data()), data);
}

TEST(DecodeArrayTest, WrongArraysAreNamed) {
  ExpectInvalid(DecodeArray("input", "x", FloatArray({2}, 7)).status(), "input \"x\"");
  ExpectInvalid(DecodeArray("input", "x", FloatArray({2}, 9)).status(), "8");
  ExpectInvalid(DecodeArray("input", "x", FloatArray({-1}, 4)).status(), "-1");
  ExpectInvalid(DecodeArray("input", "x", FloatArray({int64_t{1} << 40, int64_t{1} << 40}, 4)).status(),
                "input \"x\"");
  v1::Array no_dtype;
  ExpectInvalid(DecodeArray("input", "x", std::move(no_dtype)).status(), "dtype is 0");
  v1::Array unknown = FloatArray({1}, 4);
  unknown.set_dtype(static_cast<v1::DType>(99));
  ExpectInvalid(DecodeArray("input", "x", std::move(unknown)).status(), "dtype is 99");
}

TEST(DecodeStateRefTest, VersionOrBranchMustBeSet) {
  ExpectInvalid(DecodeStateRef(v1::StateRef()).status(), "state is not set");
  for (const int64_t version : {int64_t{0}, int64_t{-3}}) {
    v1::StateRef message;
    message.set_version(version);
    ExpectInvalid(DecodeStateRef(std::move(message)).status(), "state.version is");
  }
  ExpectInvalid(DecodeStateRef(v1::StateRef(), "from").status(), "from is not set");
  v1::StateRef branch;
  branch.set_branch("live");
  const absl::StatusOr<StateRef> state = DecodeStateRef(std::move(branch));
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(std::get<BranchName>(*state).value, "live");
}

TEST(DecodeSelectorsTest, AbsentBoundsStayAbsent) {
  google::protobuf::RepeatedPtrField<v1::ArraySelector> messages;
  v1::ArraySelector& message = *messages.Add();
  message.mutable_index()->set_position(2);
  message.add_slices()->set_stop(4);
  const absl::StatusOr<std::vector<ArraySelector>> selectors = DecodeSelectors(std::move(messages));
  ASSERT_TRUE(selectors.ok());
  EXPECT_EQ(std::get<IndexPosition>((*selectors)[0].index).value, 2);
  EXPECT_FALSE((*selectors)[0].slices[0].start.has_value());
  EXPECT_EQ((*selectors)[0].slices[0].stop, 4);
  EXPECT_FALSE((*selectors)[0].slices[0].step.has_value());
}

TEST(DecodeIndexTest, MustBeSet) { ExpectInvalid(DecodeIndex(v1::Index()).status(), "index is not set"); }

TEST(DecodeDurabilityTest, UnknownNumberIsInvalid) {
  EXPECT_EQ(DecodeDurability(v1::DURABILITY_SYNC).value(), Durability::kSync);
  EXPECT_EQ(DecodeDurability(v1::DURABILITY_UNSPECIFIED).value(), std::nullopt);
  ExpectInvalid(DecodeDurability(static_cast<v1::Durability>(9)).status(), "durability is 9");
}

TEST(DecodeDurationTest, TakesWhatDurationProtoAllows) {
  google::protobuf::Duration message;
  message.set_seconds(-1);
  message.set_nanos(-500'000'000);
  EXPECT_EQ(DecodeDuration("age", message).value(), -absl::Milliseconds(1500));
  message.set_nanos(1);
  ExpectInvalid(DecodeDuration("age", message).status(), "age has -1 seconds and 1 nanos");
  message.set_seconds(0);
  message.set_nanos(1'000'000'000);
  ExpectInvalid(DecodeDuration("age", message).status(), "age has 0 seconds and 1000000000 nanos");
  message.set_nanos(0);
  message.set_seconds(315'576'000'001);
  ExpectInvalid(DecodeDuration("age", message).status(), "expected at most 10000 years");
}

TEST(DecodeRetentionTest, RulesThatAreNotGivenAreAbsent) {
  v1::RetentionPolicy message;
  EXPECT_EQ(DecodeRetention(message).value(), RetentionPolicy());
  message.set_keep_last(3);
  message.mutable_max_age()->set_seconds(60);
  EXPECT_EQ(DecodeRetention(message).value(), (RetentionPolicy{.keep_last = 3, .max_age = absl::Minutes(1)}));
  message.mutable_max_age()->set_nanos(-1);
  ExpectInvalid(DecodeRetention(message).status(), "retention.max_age has 60 seconds and -1 nanos");
}

TEST(ParseRequestTest, GarbageIsInvalid) {
  const grpc::Slice slice(std::string("\xff\xff\xff garbage"));
  ExpectInvalid(ParseRequest<v1::StepRequest>(grpc::ByteBuffer(&slice, 1)).status(),
                "stepwell.v1.StepRequest");
}

}  // namespace
}  // namespace stepwell::server
