#include "stepwell/array/non_finite.h"

#include <bit>

#include "absl/types/span.h"

namespace stepwell {
namespace {

uint16_t ToBits(Float16 value) { return value.bits; }
uint16_t ToBits(BFloat16 value) { return value.bits; }
uint32_t ToBits(float value) { return std::bit_cast<uint32_t>(value); }
uint64_t ToBits(double value) { return std::bit_cast<uint64_t>(value); }

double Widen(double value) { return value; }
double Widen(Float16 value) { return ToFloat(value); }
double Widen(BFloat16 value) { return ToFloat(value); }

// `kExponent` is the exponent's place in the bits of a `T`.
template <typename T, auto kExponent>
std::optional<NonFinite> Find(const Array& array) {
  using Bits = decltype(ToBits(T()));
  constexpr Bits kOne = kExponent & -kExponent;
  constexpr Bits kCarry = kExponent + kOne;
  // The exponent of infinities and NaNs is all ones: then, and only then, one more carries. A comparison
  // would do too, but this is what compilers do to many 64-bit elements at once.
  const auto add_one = [](T value) { return static_cast<Bits>((ToBits(value) & kExponent) + kOne); };

  const absl::Span<const T> elements = array.As<T>().value();
  constexpr size_t kBlock = 1024;
  size_t at = 0;
  for (; elements.size() - at >= kBlock; at += kBlock) {
    const T* const block = elements.data() + at;
    Bits carried = 0;
    for (size_t i = 0; i < kBlock; ++i) carried |= add_one(block[i]);
    if ((carried & kCarry) != 0) break;
  }
  for (; at < elements.size(); ++at) {
    if ((add_one(elements[at]) & kCarry) != 0)
      return NonFinite{static_cast<int64_t>(at), Widen(elements[at])};
  }
  return std::nullopt;
}

}  // namespace

std::optional<NonFinite> FindNonFinite(const Array& array) {
  switch (array.dtype()) {
    case DType::kFloat16:
      return Find<Float16, uint16_t{0x7C00}>(array);
    case DType::kBFloat16:
      return Find<BFloat16, uint16_t{0x7F80}>(array);
    case DType::kFloat32:
      return Find<float, uint32_t{0x7F80'0000}>(array);
    case DType::kFloat64:
      return Find<double, uint64_t{0x7FF0'0000'0000'0000}>(array);
    default:
      return std::nullopt;
  }
}

}  // namespace stepwell
