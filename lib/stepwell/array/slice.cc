#include "stepwell/array/slice.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace stepwell {
namespace {

// One axis of a resolved slice: `count` elements from `start`, `step` apart.
struct AxisRange {
  int64_t start;
  int64_t step;
  int64_t count;
};

absl::StatusOr<int64_t> ResolveBound(int64_t bound, int64_t extent, int axis) {
  if (bound > extent || bound < -extent) {
    return absl::OutOfRangeError(absl::StrCat("slice bound ", bound, " is outside axis ", axis, " of extent ",
                                              extent, "; expected ", -extent, " to ", extent));
  }
  return bound < 0 ? bound + extent : bound;
}

absl::StatusOr<AxisRange> ResolveAxis(const Slice& slice, int64_t extent, int axis) {
  const int64_t step = slice.step.value_or(1);
  if (step == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the slice of axis ", axis, " has step 0; expected another"));
  }
  // Walking backwards starts at the last element and stops before position -1.
  int64_t start = step > 0 ? 0 : extent - 1;
  int64_t stop = step > 0 ? extent : -1;
  if (slice.start.has_value()) {
    const absl::StatusOr<int64_t> bound = ResolveBound(*slice.start, extent, axis);
    if (!bound.ok()) return bound.status();
    start = step < 0 && *bound == extent ? extent - 1 : *bound;
  }
  if (slice.stop.has_value()) {
    const absl::StatusOr<int64_t> bound = ResolveBound(*slice.stop, extent, axis);
    if (!bound.ok()) return bound.status();
    stop = *bound;
  }
  const int64_t distance = step > 0 ? stop - start : start - stop;
  if (distance <= 0) return AxisRange{0, 1, 0};
  // Unsigned, since the smallest step has no positive counterpart.
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : -static_cast<uint64_t>(step);
  const auto count = static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride + 1);
  return AxisRange{start, count == 1 ? 1 : step, count};
}

}  // namespace

absl::StatusOr<Array> TakeSlice(const Array& array, absl::Span<const Slice> slices) {
  const Shape& shape = array.shape();
  if (slices.size() > static_cast<size_t>(shape.rank())) {
    return absl::InvalidArgumentError(absl::StrCat(slices.size(), " slices for an array of shape ",
                                                   shape.ToString(), "; expected at most ", shape.rank()));
  }
  if (slices.empty()) return array;

  const int rank = shape.rank();
  absl::InlinedVector<AxisRange, 4> ranges;
  absl::InlinedVector<int64_t, 4> dims;
  for (int axis = 0; axis < rank; ++axis) {
    const Slice slice =
        static_cast<size_t>(axis) < slices.size() ? slices[static_cast<size_t>(axis)] : Slice();
    const absl::StatusOr<AxisRange> range = ResolveAxis(slice, shape[axis], axis);
    if (!range.ok()) return range.status();
    ranges.push_back(*range);
    dims.push_back(range->count);
  }
  const absl::StatusOr<Shape> taken = Shape::Make(dims);
  if (!taken.ok()) return taken.status();
  const auto byte_count = static_cast<size_t>(taken->ByteCount(array.dtype()));
  if (byte_count == 0) return Array::Zeros(array.dtype(), *taken);

  // Byte strides, and the offset of the first element taken.
  absl::InlinedVector<int64_t, 4> strides(ranges.size());
  auto stride = static_cast<int64_t>(ItemSize(array.dtype()));
  int64_t offset = 0;
  for (int axis = rank - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    offset += ranges[axis].start * stride;
    stride *= shape[axis];
  }

  // The innermost axes that are taken whole, and the one around them if it has step 1, form runs of bytes.
  int outer = rank;
  auto run = static_cast<int64_t>(ItemSize(array.dtype()));
  while (outer > 0 && ranges[outer - 1].step == 1) {
    --outer;
    run *= ranges[outer].count;
    if (ranges[outer].count != shape[outer]) break;
  }
  while (outer > 0 && ranges[outer - 1].count == 1) --outer;
  if (outer == 0) {
    return Array::Unchecked(array.dtype(), *taken,
                            array.data().Part(static_cast<size_t>(offset), static_cast<size_t>(run)));
  }

  MutableBuffer out = MutableBuffer::Allocate(byte_count);
  std::byte* to = out.data();
  absl::InlinedVector<int64_t, 4> position(static_cast<size_t>(outer), 0);
  const std::byte* from = array.bytes().data() + offset;
  while (true) {
    std::memcpy(to, from, static_cast<size_t>(run));
    to += run;
    int axis = outer - 1;
    while (axis >= 0) {
      from += ranges[axis].step * strides[axis];
      if (++position[axis] < ranges[axis].count) break;
      from -= ranges[axis].count * ranges[axis].step * strides[axis];
      position[axis] = 0;
      --axis;
    }
    if (axis < 0) break;
  }
  return Array::Unchecked(array.dtype(), *taken, std::move(out).Freeze());
}

}  // namespace stepwell
