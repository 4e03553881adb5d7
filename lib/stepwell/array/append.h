#ifndef STEPWELL_ARRAY_APPEND_H_
#define STEPWELL_ARRAY_APPEND_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/array/array.h"

namespace stepwell {

// `array` with `rows` behind it along the outermost axis, as numpy.concatenate does it. Where `array` came of
// an append itself and is the first to be appended to, both share its bytes and this costs those of `rows`:
// see Buffer::Append. INVALID_ARGUMENT: other dtypes, other extents of the inner axes, a scalar, or a shape
// that Shape::Make refuses. RESOURCE_EXHAUSTED: no memory.
absl::StatusOr<Array> AppendRows(const Array& array, const Array& rows);

// A copy of all of `parts`, at least one, one behind the other along the outermost axis. What comes of it can
// be appended to at once. Errors as AppendRows.
absl::StatusOr<Array> ConcatenateRows(absl::Span<const Array> parts);

}  // namespace stepwell

#endif  // STEPWELL_ARRAY_APPEND_H_
