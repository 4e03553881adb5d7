#include "stepwell/array/array.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace stepwell {

absl::StatusOr<Array> Array::Make(DType dtype, Shape shape, Buffer data) {
  const int64_t expected = shape.ByteCount(dtype);
  if (static_cast<uint64_t>(expected) != data.size()) {
    return absl::InvalidArgumentError(absl::StrCat("an array of ", DTypeName(dtype), " and shape ",
                                                   shape.ToString(), " has ", data.size(),
                                                   " bytes; expected ", expected));
  }
  if (dtype == DType::kBool) {
    const auto bytes = data.bytes();
    const auto wrong = std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; });
    if (wrong != bytes.end()) {
      return absl::InvalidArgumentError(absl::StrCat("a bool array has the byte ",
                                                     std::to_integer<int>(*wrong), " at position ",
                                                     wrong - bytes.begin(), "; expected 0 or 1"));
    }
  }
  // The alignment of every element type is its size.
  if (reinterpret_cast<uintptr_t>(data.data()) % ItemSize(dtype) != 0) data = Buffer::Copy(data.bytes());
  return Array(dtype, std::move(shape), std::move(data));
}

absl::StatusOr<Array> Array::Make(DType dtype, absl::Span<const int64_t> dims, Buffer data) {
  absl::StatusOr<Shape> shape = Shape::Make(dims);
  if (!shape.ok()) return shape.status();
  return Make(dtype, *std::move(shape), std::move(data));
}

Array Array::Zeros(DType dtype, const Shape& shape) {
  MutableBuffer zeros = MutableBuffer::Allocate(static_cast<size_t>(shape.ByteCount(dtype)));
  std::memset(zeros.data(), 0, zeros.size());
  return Array(dtype, shape, std::move(zeros).Freeze());
}

absl::Status Array::WrongElementType(DType dtype, DType wanted) {
  return absl::InvalidArgumentError(
      absl::StrCat("the array holds ", DTypeName(dtype), "; it was asked for as ", DTypeName(wanted)));
}

bool operator==(const Array& a, const Array& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.bytes().data() == b.bytes().data() || a.byte_count() == 0 ||
          std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0);
}

}  // namespace stepwell
