#include "stepwell/array/append.h"

#include <new>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace stepwell {
namespace {

// The shape of an array of `shape` with `rows` behind it.
absl::StatusOr<Shape> Longer(DType dtype, const Shape& shape, const Array& rows) {
  if (shape.rank() == 0 || rows.dtype() != dtype || rows.shape().rank() != shape.rank() ||
      rows.shape().dims().subspan(1) != shape.dims().subspan(1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        DTypeName(rows.dtype()), " ", rows.shape().ToString(), " is appended to ", DTypeName(dtype), " ",
        shape.ToString(), "; expected the same dtype and, behind an outermost axis, the same extents"));
  }
  absl::InlinedVector<int64_t, 4> dims(shape.dims().begin(), shape.dims().end());
  dims[0] += rows.shape()[0];  // No extent of a shape is so large that this overflows.
  return Shape::Make(dims);
}

absl::Status NoMemory(DType dtype, const Shape& shape) {
  return absl::ResourceExhaustedError(
      absl::StrCat("no memory for ", DTypeName(dtype), " ", shape.ToString(), " and room for it to grow"));
}

}  // namespace

absl::StatusOr<Array> AppendRows(const Array& array, const Array& rows) {
  absl::StatusOr<Shape> shape = Longer(array.dtype(), array.shape(), rows);
  if (!shape.ok()) return shape.status();
  try {
    Buffer data = array.data().Append(rows.bytes());
    return Array::Unchecked(array.dtype(), *std::move(shape), std::move(data));
  } catch (const std::bad_alloc&) {
    return NoMemory(array.dtype(), *shape);
  }
}

absl::StatusOr<Array> ConcatenateRows(absl::Span<const Array> parts) {
  const DType dtype = parts[0].dtype();
  absl::StatusOr<Shape> shape = parts[0].shape();
  std::vector<absl::Span<const std::byte>> bytes = {parts[0].bytes()};
  for (const Array& rows : parts.subspan(1)) {
    shape = Longer(dtype, *shape, rows);
    if (!shape.ok()) return shape.status();
    bytes.push_back(rows.bytes());
  }
  try {
    Buffer data = Buffer::Concatenate(bytes);
    return Array::Unchecked(dtype, *std::move(shape), std::move(data));
  } catch (const std::bad_alloc&) {
    return NoMemory(dtype, *shape);
  }
}

}  // namespace stepwell
