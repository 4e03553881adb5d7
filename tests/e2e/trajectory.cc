#include "tests/e2e/trajectory.h"

#include <cmath>
#include <type_traits>

#include "gtest/gtest.h"

namespace stepwell::testing {
namespace {

constexpr double kTolerance = 1e-5;  // Relative and absolute.

template <typename T>
double ToDouble(T value) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
    return static_cast<double>(ToFloat(value));
  } else {
    return static_cast<double>(value);
  }
}

template <typename T>
bool IsClose(T actual, T expected) {
  if constexpr (std::is_integral_v<T>) {
    return actual == expected;
  } else {
    const double a = ToDouble(actual);
    const double e = ToDouble(expected);
    if (!std::isfinite(a) || !std::isfinite(e)) return a == e || (std::isnan(a) && std::isnan(e));
    return std::abs(a - e) <= kTolerance + kTolerance * std::abs(e);
  }
}

}  // namespace

Array Row(const Array& rows, int64_t row) {
  const Shape shape = Shape::Make(rows.shape().dims().subspan(1)).value();
  const auto bytes = static_cast<size_t>(shape.ByteCount(rows.dtype()));
  return Array::Make(rows.dtype(), shape, rows.data().Part(static_cast<size_t>(row) * bytes, bytes)).value();
}

void ExpectClose(const Array& actual, const Array& expected, const std::string& what) {
  ASSERT_EQ(actual.dtype(), expected.dtype()) << what;
  ASSERT_EQ(actual.shape(), expected.shape()) << what;
  VisitDType(actual.dtype(), [&](auto element) {
    using T = decltype(element);
    const absl::Span<const T> a = actual.As<T>().value();
    const absl::Span<const T> e = expected.As<T>().value();
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_TRUE(IsClose(a[i], e[i]))
          << what << ", element " << i << ": " << ToDouble(a[i]) << "; expected " << ToDouble(e[i]);
    }
  });
}

}  // namespace stepwell::testing
