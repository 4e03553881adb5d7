#include "stepwell/array/difference.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace stepwell {
namespace {

template <typename T>
double ToDouble(T element) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(element);
  } else {
    return ToFloat(element);
  }
}

double Apart(double from, double to) {
  if (from == to || (std::isnan(from) && std::isnan(to))) return 0;
  return std::fabs(to - from);
}

template <typename T>
double ElementsApart(T from, T to) {
  if constexpr (std::is_integral_v<T>) {
    // Modulo 2^64 the difference of any two integers, signed or not, is exact.
    const auto widen = [](T element) {
      // Of a negative number the sign is to be extended. NOLINTNEXTLINE(bugprone-signed-char-misuse)
      return static_cast<uint64_t>(element);
    };
    const uint64_t a = widen(from);
    const uint64_t b = widen(to);
    return static_cast<double>(from < to ? b - a : a - b);
  } else {
    return Apart(ToDouble(from), ToDouble(to));
  }
}

// `apart` gives the distance at each of `count` elements.
template <typename DistanceAt>
Difference Summarise(size_t count, DistanceAt apart) {
  double max = 0;
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    const double distance = apart(i);
    max = std::max(max, distance);
    sum += distance;
  }
  if (count == 0) return {};
  // std::max passes over a NaN; the sum is one only if some distance was, since none is negative.
  return {std::isnan(sum) ? sum : max, sum / static_cast<double>(count)};
}

using LoadElement = double (*)(const std::byte* elements, size_t i);

LoadElement LoaderOf(DType dtype) {
  return VisitDType(dtype, [](auto element) -> LoadElement {
    return [](const std::byte* elements, size_t i) {
      return ToDouble(reinterpret_cast<const decltype(element)*>(elements)[i]);
    };
  });
}

}  // namespace

Difference AbsDifference(const Array& from, const Array& to) {
  const auto count = static_cast<size_t>(from.element_count());
  const std::byte* const from_bytes = from.bytes().data();
  const std::byte* const to_bytes = to.bytes().data();
  if (from.dtype() == to.dtype()) {
    return VisitDType(from.dtype(), [&](auto element) {
      const auto* a = reinterpret_cast<const decltype(element)*>(from_bytes);
      const auto* b = reinterpret_cast<const decltype(element)*>(to_bytes);
      return Summarise(count, [a, b](size_t i) { return ElementsApart(a[i], b[i]); });
    });
  }
  const LoadElement load_from = LoaderOf(from.dtype());
  const LoadElement load_to = LoaderOf(to.dtype());
  return Summarise(count, [&](size_t i) { return Apart(load_from(from_bytes, i), load_to(to_bytes, i)); });
}

}  // namespace stepwell
