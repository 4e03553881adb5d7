#ifndef STEPWELL_ARRAY_DTYPE_H_
#define STEPWELL_ARRAY_DTYPE_H_

#include <cstddef>
#include <cstdint>
#include <ostream>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace stepwell {

// Element types of arrays: what ONNX Runtime's CPU provider computes with. Values are stable; they equal
// those of stepwell.v1.DType.
enum class DType : uint8_t {
  kBool = 1,  // One byte, 0 or 1.
  kInt8 = 2,
  kUInt8 = 3,
  kInt16 = 4,
  kUInt16 = 5,
  kInt32 = 6,
  kUInt32 = 7,
  kInt64 = 8,
  kUInt64 = 9,
  kFloat16 = 10,
  kBFloat16 = 11,
  kFloat32 = 12,
  kFloat64 = 13,
};

inline constexpr DType kAllDTypes[] = {DType::kBool,   DType::kInt8,    DType::kUInt8,    DType::kInt16,
                                       DType::kUInt16, DType::kInt32,   DType::kUInt32,   DType::kInt64,
                                       DType::kUInt64, DType::kFloat16, DType::kBFloat16, DType::kFloat32,
                                       DType::kFloat64};

// IEEE 754 binary16 and bfloat16, as bits; C++20 has no type for them.
struct Float16 {
  uint16_t bits;
  friend bool operator==(Float16, Float16) = default;
};
struct BFloat16 {
  uint16_t bits;
  friend bool operator==(BFloat16, BFloat16) = default;
};

// The same number as a float: exact for every value, NaN and infinities included.
float ToFloat(Float16 value);
float ToFloat(BFloat16 value);
// The nearest representable number, ties to even; too large becomes infinity.
Float16 ToFloat16(float value);
BFloat16 ToBFloat16(float value);

// Bytes of one element.
size_t ItemSize(DType dtype);

// The name as numpy writes it: "float32", "bool", "bfloat16".
absl::string_view DTypeName(DType dtype);

// The reverse of DTypeName. INVALID_ARGUMENT lists the names there are.
absl::StatusOr<DType> ParseDType(absl::string_view name);

std::ostream& operator<<(std::ostream& out, DType dtype);

namespace internal {
template <typename T>
struct DTypeOf;  // Not defined: T is no element type.
// clang-format off
template <> struct DTypeOf<bool>     { static constexpr DType value = DType::kBool; };
template <> struct DTypeOf<int8_t>   { static constexpr DType value = DType::kInt8; };
template <> struct DTypeOf<uint8_t>  { static constexpr DType value = DType::kUInt8; };
template <> struct DTypeOf<int16_t>  { static constexpr DType value = DType::kInt16; };
template <> struct DTypeOf<uint16_t> { static constexpr DType value = DType::kUInt16; };
template <> struct DTypeOf<int32_t>  { static constexpr DType value = DType::kInt32; };
template <> struct DTypeOf<uint32_t> { static constexpr DType value = DType::kUInt32; };
template <> struct DTypeOf<int64_t>  { static constexpr DType value = DType::kInt64; };
template <> struct DTypeOf<uint64_t> { static constexpr DType value = DType::kUInt64; };
template <> struct DTypeOf<Float16>  { static constexpr DType value = DType::kFloat16; };
template <> struct DTypeOf<BFloat16> { static constexpr DType value = DType::kBFloat16; };
template <> struct DTypeOf<float>    { static constexpr DType value = DType::kFloat32; };
template <> struct DTypeOf<double>   { static constexpr DType value = DType::kFloat64; };
// clang-format on
}  // namespace internal

// The DType whose elements are `T`.
template <typename T>
inline constexpr DType kDTypeOf = internal::DTypeOf<T>::value;

// Calls `visitor(T{})` with the element type `T` of `dtype` and returns what it returns.
template <typename Visitor>
auto VisitDType(DType dtype, Visitor&& visitor) {
  switch (dtype) {
    case DType::kBool:
      return visitor(bool{});
    case DType::kInt8:
      return visitor(int8_t{});
    case DType::kUInt8:
      return visitor(uint8_t{});
    case DType::kInt16:
      return visitor(int16_t{});
    case DType::kUInt16:
      return visitor(uint16_t{});
    case DType::kInt32:
      return visitor(int32_t{});
    case DType::kUInt32:
      return visitor(uint32_t{});
    case DType::kInt64:
      return visitor(int64_t{});
    case DType::kUInt64:
      return visitor(uint64_t{});
    case DType::kFloat16:
      return visitor(Float16{});
    case DType::kBFloat16:
      return visitor(BFloat16{});
    case DType::kFloat32:
      return visitor(float{});
    case DType::kFloat64:
      return visitor(double{});
  }
  __builtin_unreachable();
}

}  // namespace stepwell

#endif  // STEPWELL_ARRAY_DTYPE_H_
