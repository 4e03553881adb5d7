#ifndef STEPWELL_ARRAY_ARRAY_H_
#define STEPWELL_ARRAY_ARRAY_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/array/buffer.h"
#include "stepwell/array/dtype.h"
#include "stepwell/array/shape.h"

namespace stepwell {

// An n-dimensional array: dtype, shape and bytes in C order (the last axis varies fastest), little endian.
// Immutable; a copy shares the bytes. The bytes are exactly the shape's, and aligned for the dtype.
// Thread-safe.
class Array {
 public:
  // A float32 array of shape (0).
  Array() : shape_(Shape::Empty()), dtype_(DType::kFloat32) {}

  // INVALID_ARGUMENT: `data` has not exactly the bytes of `shape`, or a bool byte is neither 0 nor 1. Bytes
  // that are not aligned for `dtype` are copied; others are shared.
  static absl::StatusOr<Array> Make(DType dtype, Shape shape, Buffer data);

  // As Make, from extents that may be wrong: INVALID_ARGUMENT also as Shape::Make.
  static absl::StatusOr<Array> Make(DType dtype, absl::Span<const int64_t> dims, Buffer data);

  // A copy of `elements`. INVALID_ARGUMENT: their number is not that of `dims`, or as Shape::Make.
  template <typename T>
  static absl::StatusOr<Array> From(absl::Span<const int64_t> dims, absl::Span<const T> elements);

  // An array of one element and rank 0.
  template <typename T>
  static Array Scalar(T element);

  // All elements zero.
  static Array Zeros(DType dtype, const Shape& shape);

  // Trusted: `data` holds exactly the bytes of `shape`, aligned, with bools of 0 and 1. For what the program
  // itself has just computed.
  static Array Unchecked(DType dtype, Shape shape, Buffer data) {
    return Array(dtype, std::move(shape), std::move(data));
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  Buffer data() const { return Buffer::Adopt(data_, bytes()); }
  absl::Span<const std::byte> bytes() const { return {data_.get(), static_cast<size_t>(byte_count())}; }
  int64_t byte_count() const { return shape_.ByteCount(dtype_); }
  int64_t element_count() const { return shape_.element_count(); }

  // The elements in C order, valid while this array (or a copy) lives. INVALID_ARGUMENT when `T` is not the
  // dtype's element type.
  template <typename T>
  absl::StatusOr<absl::Span<const T>> As() const;

 private:
  Array(DType dtype, Shape shape, Buffer data)
      : shape_(std::move(shape)), data_(std::move(data).Release()), dtype_(dtype) {}

  static absl::Status WrongElementType(DType dtype, DType wanted);

  // In an order that leaves no gaps: every snapshot in memory holds some.
  Shape shape_;
  std::shared_ptr<const std::byte> data_;  // As many as the shape has.
  DType dtype_;
};

// Same dtype, shape and bytes; told without reading where both share the bytes.
bool operator==(const Array& a, const Array& b);

template <typename T>
absl::StatusOr<Array> Array::From(absl::Span<const int64_t> dims, absl::Span<const T> elements) {
  return Make(
      kDTypeOf<T>, dims,
      Buffer::Copy({reinterpret_cast<const std::byte*>(elements.data()), elements.size() * sizeof(T)}));
}

template <typename T>
Array Array::Scalar(T element) {
  return Array(kDTypeOf<T>, Shape(), Buffer::Copy({reinterpret_cast<const std::byte*>(&element), sizeof(T)}));
}

template <typename T>
absl::StatusOr<absl::Span<const T>> Array::As() const {
  if (dtype_ != kDTypeOf<T>) return WrongElementType(dtype_, kDTypeOf<T>);
  return absl::Span<const T>(reinterpret_cast<const T*>(data_.get()), static_cast<size_t>(element_count()));
}

}  // namespace stepwell

#endif  // STEPWELL_ARRAY_ARRAY_H_
