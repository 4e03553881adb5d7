#include "server/convert/message_writer.h"

#include <numeric>

#include "grpcpp/support/proto_buffer_reader.h"
#include "gtest/gtest.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {
namespace {

template <typename Message>
Message Parse(grpc::ByteBuffer buffer) {
  Message message;
  grpc::ProtoBufferReader reader(&buffer);
  EXPECT_TRUE(message.ParseFromZeroCopyStream(&reader));
  return message;
}

Array Floats(std::vector<int64_t> dims, size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.5f);
  return Array::From<float>(dims, values).value();
}

void ExpectSame(const v1::NamedArray& message, absl::string_view name, const Array& array) {
  EXPECT_EQ(message.name(), std::string(name));
  EXPECT_EQ(static_cast<int>(message.array().dtype()), static_cast<int>(array.dtype()));
  EXPECT_EQ(std::vector<int64_t>(message.array().shape().begin(), message.array().shape().end()),
            std::vector<int64_t>(array.shape().dims().begin(), array.shape().dims().end()));
  EXPECT_EQ(message.array().data(),
            std::string(reinterpret_cast<const char*>(array.bytes().data()), array.bytes().size()));
}

TEST(MessageWriterTest, WritesWhatProtobufReads) {
  const Array scalar = Array::Scalar<int32_t>(-7);
  const Array matrix = Floats({2, 300}, 600);
  const Array large = Floats({300, 5, 20}, 30000);
  const Array empty = Floats({0, 3}, 0);
  MessageWriter writer;
  writer.AddInt64(v1::StepResponse::kVersionFieldNumber, int64_t{1} << 40);
  writer.AddNamedArray(v1::StepResponse::kOutputsFieldNumber, "y", scalar);
  writer.AddNamedArray(v1::StepResponse::kOutputsFieldNumber, std::string(200, 'n'), matrix);
  writer.AddNamedArray(v1::StepResponse::kFetchedFieldNumber, "layers[0].h", large);
  writer.AddNamedArray(v1::StepResponse::kFetchedFieldNumber, "", empty);
  const auto message = Parse<v1::StepResponse>(writer.Finish());
  EXPECT_EQ(message.version(), int64_t{1} << 40);
  ASSERT_EQ(message.outputs_size(), 2);
  ExpectSame(message.outputs(0), "y", scalar);
  ExpectSame(message.outputs(1), std::string(200, 'n'), matrix);
  ASSERT_EQ(message.fetched_size(), 2);
  ExpectSame(message.fetched(0), "layers[0].h", large);
  ExpectSame(message.fetched(1), "", empty);
}

TEST(MessageWriterTest, LargeArraysAreNotCopied) {
  const Array large = Floats({30000}, 30000);
  MessageWriter writer;
  writer.AddBytes(v1::ReadArraysResponse::kDataFieldNumber, large.data());
  grpc::ByteBuffer message = writer.Finish();
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(message.Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(static_cast<const void*>(slices[1].begin()), static_cast<const void*>(large.bytes().data()));
}

TEST(MessageWriterTest, SharedBytesOutliveTheArray) {
  grpc::ByteBuffer message;
  std::string expected;
  {
    const Array large = Floats({5000}, 5000);
    expected.assign(reinterpret_cast<const char*>(large.bytes().data()), large.bytes().size());
    MessageWriter writer;
    writer.AddBytes(v1::ReadArraysResponse::kDataFieldNumber, large.data());
    message = writer.Finish();
  }
  EXPECT_EQ(Parse<v1::ReadArraysResponse>(message).data(), expected);
}

TEST(MessageWriterTest, MessageInAMessageHoldsSmallAndLargeArrays) {
  const Array small = Array::Scalar<int32_t>(3);
  const Array large = Floats({5000}, 5000);
  const std::vector<std::vector<std::pair<std::string, Array>>> cases = {
      {}, {{"a", small}}, {{"a", large}}, {{"a", small}, {"b", large}, {"c", small}}};
  for (const auto& arrays : cases) {
    MessageWriter inner;
    inner.AddInt64(v1::StepResponse::kVersionFieldNumber, 7);
    inner.AddNamedArrays(v1::StepResponse::kOutputsFieldNumber, arrays);
    MessageWriter writer;
    writer.AddMessage(v1::StepStreamResponse::kResponseFieldNumber, std::move(inner));
    const grpc::ByteBuffer message = writer.Finish();
    const auto parsed = Parse<v1::StepStreamResponse>(message).response();
    EXPECT_EQ(parsed.version(), 7);
    ASSERT_EQ(parsed.outputs_size(), static_cast<int>(arrays.size()));
    for (size_t i = 0; i < arrays.size(); ++i) {
      ExpectSame(parsed.outputs(static_cast<int>(i)), arrays[i].first, arrays[i].second);
    }
  }
}

TEST(MessageWriterTest, NoFieldsIsAnEmptyMessage) {
  grpc::ByteBuffer message = MessageWriter().Finish();
  ASSERT_TRUE(message.Valid());
  EXPECT_EQ(message.Length(), 0u);
}

}  // namespace
}  // namespace stepwell::server
