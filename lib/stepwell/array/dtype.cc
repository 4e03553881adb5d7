#include "stepwell/array/dtype.h"

#include <bit>
#include <cmath>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace stepwell {
namespace {

constexpr absl::string_view kNames[] = {"",        "bool",     "int8",    "uint8",  "int16",
                                        "uint16",  "int32",    "uint32",  "int64",  "uint64",
                                        "float16", "bfloat16", "float32", "float64"};
static_assert(std::size(kNames) == static_cast<size_t>(DType::kFloat64) + 1);

}  // namespace

float ToFloat(Float16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1F;
  const uint32_t mantissa = value.bits & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000 | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

float ToFloat(BFloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

Float16 ToFloat16(float value) {
  const auto sign = static_cast<uint16_t>((std::bit_cast<uint32_t>(value) >> 16) & 0x8000);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return {static_cast<uint16_t>(sign | 0x7E00)};
  if (magnitude >= 65520.0F) return {static_cast<uint16_t>(sign | 0x7C00)};
  // One unit in the last place is 2^(exponent - 10), and 2^-24 below the smallest normal number.
  const int exponent = magnitude == 0 ? -14 : std::max(std::ilogb(magnitude), -14);
  const auto units = static_cast<uint16_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // A normal number holds 1024 units of its exponent implicitly, and a carry moves into the exponent by
  // itself.
  return {static_cast<uint16_t>(sign | (((exponent + 14) << 10) + units))};
}

BFloat16 ToBFloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return {static_cast<uint16_t>((bits >> 16) | 0x40)};
  const uint32_t round_to_even = 0x7FFF + ((bits >> 16) & 1);
  return {static_cast<uint16_t>((bits + round_to_even) >> 16)};
}

size_t ItemSize(DType dtype) {
  return VisitDType(dtype, [](auto element) { return sizeof(element); });
}

absl::string_view DTypeName(DType dtype) { return kNames[static_cast<size_t>(dtype)]; }

absl::StatusOr<DType> ParseDType(absl::string_view name) {
  for (const DType dtype : kAllDTypes) {
    if (DTypeName(dtype) == name) return dtype;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("dtype \"", name, "\" is unknown; expected one of ",
                   absl::StrJoin(std::begin(kNames) + 1, std::end(kNames), ", ")));
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << DTypeName(dtype); }

}  // namespace stepwell
