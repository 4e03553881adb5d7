#include "stepwell/array/dtype.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

TEST(DType, NamesParseBack) {
  for (const DType dtype : kAllDTypes) EXPECT_EQ(*ParseDType(DTypeName(dtype)), dtype);
}

TEST(DType, UnknownNameIsInvalidArgumentThatListsTheNames) {
  const absl::Status status = ParseDType("float23").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("\"float23\""));
  EXPECT_THAT(status.message(), ::testing::HasSubstr("bfloat16, float32"));
}

TEST(DType, ItemSizesAreThoseOfTheElements) {
  EXPECT_EQ(ItemSize(DType::kBool), 1);
  EXPECT_EQ(ItemSize(DType::kBFloat16), 2);
  EXPECT_EQ(ItemSize(DType::kUInt32), 4);
  EXPECT_EQ(ItemSize(DType::kFloat64), 8);
}

TEST(Float16, EveryNumberSurvivesTheWayToFloatAndBack) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const Float16 half{static_cast<uint16_t>(bits)};
    const float value = ToFloat(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(ToFloat(ToFloat16(value))));
    } else {
      EXPECT_EQ(ToFloat16(value), half) << bits;
    }
  }
}

TEST(Float16, HasTheKnownValues) {
  EXPECT_EQ(ToFloat(Float16{0x3C00}), 1.0F);
  EXPECT_EQ(ToFloat(Float16{0xC000}), -2.0F);
  EXPECT_EQ(ToFloat(Float16{0x7BFF}), 65504.0F);
  EXPECT_EQ(ToFloat(Float16{0x0001}), std::ldexp(1.0F, -24));
  EXPECT_EQ(ToFloat16(65519.0F), Float16{0x7BFF});
  EXPECT_EQ(ToFloat16(65520.0F), Float16{0x7C00});
  EXPECT_EQ(ToFloat16(1.0F + std::ldexp(1.0F, -11)), Float16{0x3C00}) << "a tie goes to even";
  EXPECT_EQ(ToFloat16(1.0F + 3 * std::ldexp(1.0F, -11)), Float16{0x3C02}) << "a tie goes to even";
}

TEST(BFloat16, RoundsToNearestEvenAndKeepsNaN) {
  EXPECT_EQ(ToFloat(BFloat16{0x3F80}), 1.0F);
  EXPECT_EQ(ToBFloat16(1.0F), BFloat16{0x3F80});
  EXPECT_EQ(ToBFloat16(1.0F + std::ldexp(1.0F, -8)), BFloat16{0x3F80});
  EXPECT_EQ(ToBFloat16(1.0F + 3 * std::ldexp(1.0F, -8)), BFloat16{0x3F82});
  EXPECT_TRUE(std::isnan(ToFloat(ToBFloat16(std::numeric_limits<float>::quiet_NaN()))));
}

}  // namespace
}  // namespace stepwell
