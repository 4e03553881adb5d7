#include "stepwell/array/difference.h"

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "gtest/gtest.h"

namespace stepwell {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename T>
Array Of(const std::vector<T>& elements) {
  return Array::From<T>({static_cast<int64_t>(elements.size())}, elements).value();
}

template <typename T>
T FromInt(int value) {
  if constexpr (std::is_same_v<T, Float16>) {
    return ToFloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return ToBFloat16(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

// 0 to 3 of any dtype; not of bool, whose vector is none.
Array Small(DType dtype, const std::vector<int>& values) {
  return VisitDType(dtype, [&](auto element) {
    using T = decltype(element);
    MutableBuffer buffer = MutableBuffer::Allocate(values.size() * sizeof(T));
    for (size_t i = 0; i < values.size(); ++i) reinterpret_cast<T*>(buffer.data())[i] = FromInt<T>(values[i]);
    return Array::Make(dtype, {static_cast<int64_t>(values.size())}, std::move(buffer).Freeze()).value();
  });
}

TEST(Difference, IsTakenOverEveryDtype) {
  for (const DType dtype : kAllDTypes) {
    const Difference zero = AbsDifference(Small(dtype, {1, 0, 1}), Small(dtype, {1, 0, 1}));
    EXPECT_EQ(zero.max_abs, 0) << dtype;
    EXPECT_EQ(zero.mean_abs, 0) << dtype;
    const Difference both_ways = AbsDifference(Small(dtype, {1, 0, 1, 1}), Small(dtype, {0, 1, 1, 1}));
    EXPECT_EQ(both_ways.max_abs, 1) << dtype;
    EXPECT_EQ(both_ways.mean_abs, 0.5) << dtype;
  }
}

TEST(Difference, IsTakenBetweenAnyTwoDtypes) {
  for (const DType from : kAllDTypes) {
    for (const DType to : kAllDTypes) {
      const Difference difference = AbsDifference(Small(from, {1, 0}), Small(to, {0, 0}));
      EXPECT_EQ(difference.max_abs, 1) << from << " " << to;
      EXPECT_EQ(difference.mean_abs, 0.5) << from << " " << to;
    }
  }
  EXPECT_EQ(AbsDifference(Of<float>({0.1F}), Of<double>({0.1})).max_abs, std::fabs(0.1 - double{0.1F}));
}

TEST(Difference, OfLargeIntegersIsExactBeforeItIsRounded) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr uint64_t kUMax = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(AbsDifference(Of<int64_t>({kMax - 1}), Of<int64_t>({kMax})).max_abs, 1);
  EXPECT_EQ(AbsDifference(Of<int64_t>({kMax}), Of<int64_t>({kMin})).max_abs, std::ldexp(1.0, 64));
  EXPECT_EQ(AbsDifference(Of<int64_t>({-1}), Of<int64_t>({1})).max_abs, 2);
  EXPECT_EQ(AbsDifference(Of<uint64_t>({kUMax}), Of<uint64_t>({kUMax - 3})).max_abs, 3);
  EXPECT_EQ(AbsDifference(Of<uint64_t>({0}), Of<uint64_t>({kUMax})).max_abs, std::ldexp(1.0, 64));
  EXPECT_EQ(AbsDifference(Of<int8_t>({-128}), Of<int8_t>({127})).max_abs, 255);
  EXPECT_EQ(AbsDifference(Of<uint8_t>({0}), Of<uint8_t>({255})).max_abs, 255);
}

TEST(Difference, OfSubnormalHalvesIsNotLost) {
  const Difference difference = AbsDifference(Of<Float16>({{0x0001}}), Of<Float16>({{0x8001}}));
  EXPECT_EQ(difference.max_abs, std::ldexp(1.0, -23));
}

TEST(Difference, OfInfinitiesIsZeroOrInfinite) {
  const Difference same =
      AbsDifference(Of<double>({kInfinity, -kInfinity, 1}), Of<double>({kInfinity, -kInfinity, 4}));
  EXPECT_EQ(same.max_abs, 3);
  EXPECT_EQ(same.mean_abs, 1);
  for (const double other : {0.0, -kInfinity}) {
    const Difference difference = AbsDifference(Of<double>({kInfinity, 1}), Of<double>({other, 1}));
    EXPECT_EQ(difference.max_abs, kInfinity);
    EXPECT_EQ(difference.mean_abs, kInfinity);
  }
}

TEST(Difference, OfTwoNaNsIsZeroAndOfOneIsNaN) {
  const Difference same = AbsDifference(Of<double>({kNaN, 1}), Of<double>({std::nan("7"), 3}));
  EXPECT_EQ(same.max_abs, 2);
  EXPECT_EQ(same.mean_abs, 1);
  for (const double other : {0.0, kInfinity}) {
    // Wherever it stands, and whatever else is there.
    for (const auto& [from, to] : {std::pair(Of<double>({kNaN, 1, 2}), Of<double>({other, 9, kInfinity})),
                                   std::pair(Of<double>({1, 2, other}), Of<double>({9, kInfinity, kNaN}))}) {
      const Difference difference = AbsDifference(from, to);
      EXPECT_TRUE(std::isnan(difference.max_abs));
      EXPECT_TRUE(std::isnan(difference.mean_abs));
    }
  }
}

TEST(Difference, OfTheTwoZerosIsZero) {
  EXPECT_FALSE(Of<float>({0.0F}) == Of<float>({-0.0F}));
  EXPECT_EQ(AbsDifference(Of<float>({0.0F}), Of<float>({-0.0F})).max_abs, 0);
}

TEST(Difference, OfNoElementsIsZero) {
  const Difference difference = AbsDifference(Of<float>({}), Of<float>({}));
  EXPECT_EQ(difference.max_abs, 0);
  EXPECT_EQ(difference.mean_abs, 0);
}

}  // namespace
}  // namespace stepwell
