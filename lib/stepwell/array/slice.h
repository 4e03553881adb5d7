#ifndef STEPWELL_ARRAY_SLICE_H_
#define STEPWELL_ARRAY_SLICE_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/array/array.h"

namespace stepwell {

// A part of one axis, as Python's start:stop:step: an absent bound is the axis's end in the step's direction,
// a negative bound counts from the end, `stop` is exclusive. Unlike Python's, a given bound past the end is
// an error rather than clamped: it names elements that are not there.
struct Slice {
  std::optional<int64_t> start;
  std::optional<int64_t> stop;
  std::optional<int64_t> step;  // Default 1; negative walks backwards.
};

// The part of `array` that `slices` take, one for each axis from the first; axes beyond them are taken whole.
// Shares the bytes of `array` where the part is contiguous in it, and copies otherwise. INVALID_ARGUMENT:
// more slices than axes, or a step of 0. OUT_OF_RANGE: a bound outside [-extent, extent].
absl::StatusOr<Array> TakeSlice(const Array& array, absl::Span<const Slice> slices);

}  // namespace stepwell

#endif  // STEPWELL_ARRAY_SLICE_H_
