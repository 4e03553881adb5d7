#include "stepwell/array/non_finite.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace stepwell {
namespace {

// What is past one block, and no multiple of what a processor takes at once.
constexpr size_t kMany = 2 * 1024 + 7;

template <typename T>
Array Vector(const std::vector<T>& elements) {
  return Array::From<T>({static_cast<int64_t>(elements.size())}, elements).value();
}

// Numbers of each format as they stand in memory.
template <typename T>
struct Numbers {
  std::vector<T> finite;  // The extremes: zeros, subnormal, largest and smallest.
  T infinity, minus_infinity, quiet_nan, signalling_nan;
};

template <typename T>
void ExpectFinds(const Numbers<T>& numbers) {
  std::vector<T> elements;
  for (size_t i = 0; i < kMany; ++i) elements.push_back(numbers.finite[i % numbers.finite.size()]);
  EXPECT_FALSE(FindNonFinite(Vector(elements)).has_value());
  for (const size_t at : {size_t{0}, size_t{1023}, size_t{1024}, size_t{1500}, kMany - 1}) {
    SCOPED_TRACE(at);
    std::vector<T> with = elements;
    for (const T& value :
         {numbers.infinity, numbers.minus_infinity, numbers.quiet_nan, numbers.signalling_nan}) {
      with[at] = value;
      const auto found = FindNonFinite(Vector(with));
      ASSERT_TRUE(found.has_value());
      EXPECT_EQ(found->element, at);
    }
    with[at] = numbers.minus_infinity;
    if (at + 1 < kMany) with[at + 1] = numbers.quiet_nan;
    EXPECT_EQ(FindNonFinite(Vector(with))->value, -std::numeric_limits<double>::infinity());
    with[at] = numbers.quiet_nan;
    EXPECT_TRUE(std::isnan(FindNonFinite(Vector(with))->value));
  }
}

template <typename T>
Numbers<T> NativeNumbers() {
  using Limits = std::numeric_limits<T>;
  return {{T{0}, -T{0}, Limits::denorm_min(), Limits::max(), Limits::lowest(), Limits::min(), T{1}},
          Limits::infinity(),
          -Limits::infinity(),
          Limits::quiet_NaN(),
          Limits::signaling_NaN()};
}

TEST(FindNonFinite, OfFloat64TellsTheFirst) { ExpectFinds(NativeNumbers<double>()); }

TEST(FindNonFinite, OfFloat32TellsTheFirst) { ExpectFinds(NativeNumbers<float>()); }

TEST(FindNonFinite, OfFloat16TellsTheFirst) {
  ExpectFinds<Float16>(
      {{{0}, {0x8000}, {1}, {0x7BFF}, {0xFBFF}, {0x0400}}, {0x7C00}, {0xFC00}, {0xFE00}, {0x7C01}});
}

TEST(FindNonFinite, OfBFloat16TellsTheFirst) {
  ExpectFinds<BFloat16>(
      {{{0}, {0x8000}, {1}, {0x7F7F}, {0xFF7F}, {0x0080}, {0x7C00}}, {0x7F80}, {0xFF80}, {0xFFC0}, {0x7F81}});
}

TEST(FindNonFinite, OfScalarAndOfNoElements) {
  EXPECT_EQ(FindNonFinite(Array::Scalar(std::numeric_limits<float>::infinity()))->element, 0);
  EXPECT_FALSE(FindNonFinite(Array::Scalar(1.0)).has_value());
  for (const DType dtype : kAllDTypes) {
    EXPECT_FALSE(FindNonFinite(Array::Zeros(dtype, Shape::Empty())).has_value()) << dtype;
  }
}

TEST(FindNonFinite, OfIntegersIsNothingWhateverTheirBits) {
  EXPECT_FALSE(FindNonFinite(Array::Scalar<int32_t>(0x7F80'0000)).has_value());
  EXPECT_FALSE(FindNonFinite(Array::Scalar<uint64_t>(~uint64_t{0})).has_value());
  EXPECT_FALSE(FindNonFinite(Array::Scalar<int16_t>(0x7C00)).has_value());
  EXPECT_FALSE(FindNonFinite(Array::Scalar(true)).has_value());
}

}  // namespace
}  // namespace stepwell
