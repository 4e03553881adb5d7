#include "stepwell/array/array.h"

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Array, KeepsTheElementsItWasMadeFrom) {
  const std::vector<float> elements = {1, 2, 3, 4, 5, 6};
  const Array array = Array::From<float>({2, 3}, elements).value();
  EXPECT_EQ(array.dtype(), DType::kFloat32);
  EXPECT_EQ(array.shape(), Shape::Of({2, 3}));
  EXPECT_EQ(array.byte_count(), 24);
  EXPECT_THAT(*array.As<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Array, AskedForAsAnotherTypeIsInvalidArgumentThatNamesBoth) {
  const absl::Status status = Array::Scalar<int32_t>(7).As<float>().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("int32"));
  EXPECT_THAT(status.message(), HasSubstr("float32"));
}

TEST(Array, WithTooFewOrTooManyBytesIsInvalidArgument) {
  for (const size_t size : {11, 13}) {
    const auto array = Array::Make(DType::kFloat32, {3}, Buffer::Adopt(std::string(size, '\0')));
    EXPECT_EQ(array.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(array.status().message(), HasSubstr("expected 12"));
  }
}

TEST(Array, WithABoolByteOfTwoIsInvalidArgument) {
  const auto array = Array::Make(DType::kBool, {3}, Buffer::Adopt(std::string("\x01\x00\x02", 3)));
  EXPECT_EQ(array.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(array.status().message(), HasSubstr("position 2"));
}

TEST(Array, SharesAdoptedBytesWithoutACopy) {
  std::string bytes(4096, '\1');
  const char* address = bytes.data();
  const Array array = Array::Make(DType::kUInt8, {4096}, Buffer::Adopt(std::move(bytes))).value();
  const Array copy = array;
  EXPECT_EQ(static_cast<const void*>(array.bytes().data()), address);
  EXPECT_EQ(copy.bytes().data(), array.bytes().data());
}

TEST(Array, CopiesBytesThatAreNotAligned) {
  auto owner = std::make_shared<std::array<double, 3>>();
  const auto* unaligned = reinterpret_cast<const std::byte*>(owner->data()) + 1;
  const Array array = Array::Make(DType::kFloat64, {2}, Buffer::Adopt(owner, {unaligned, 16})).value();
  EXPECT_NE(array.bytes().data(), unaligned);
  EXPECT_THAT(*array.As<double>(), ElementsAre(0, 0));
}

TEST(Array, KeepsTheOwnerOfItsBytesAlive) {
  auto owner = std::make_shared<int64_t>(42);
  std::weak_ptr<int64_t> watch = owner;
  const absl::Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(owner.get()), sizeof(int64_t));
  {
    const Array array = Array::Make(DType::kInt64, Shape(), Buffer::Adopt(std::move(owner), bytes)).value();
    EXPECT_THAT(*array.As<int64_t>(), ElementsAre(42));
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST(Array, OfNoElementsHasAnAddress) {
  const Array array = Array::Zeros(DType::kFloat32, Shape::Of({0, 3}));
  EXPECT_NE(array.bytes().data(), nullptr);
  EXPECT_EQ(array.byte_count(), 0);
}

TEST(Array, EqualsAnotherOfTheSameTypeShapeAndBytes) {
  const std::vector<float> elements = {1, 2};
  const Array a = Array::From<float>({2}, elements).value();
  EXPECT_EQ(a, Array::From<float>({2}, elements).value());
  EXPECT_FALSE(a == Array::From<float>({1, 2}, elements).value());
  EXPECT_FALSE(a == Array::Zeros(DType::kFloat32, Shape::Of({2})));
}

}  // namespace
}  // namespace stepwell
