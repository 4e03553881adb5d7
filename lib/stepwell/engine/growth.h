#ifndef STEPWELL_ENGINE_GROWTH_H_
#define STEPWELL_ENGINE_GROWTH_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/engine/snapshot_writer.h"
#include "stepwell/model/model.h"

namespace stepwell {

// What `method` has `written` where it appends: on return, the arrays of `state`, by position, with the rows
// behind them. The rows are returned. Takes the room behind the arrays of `state`: for what becomes a version
// only, or the next to append there must copy. RESOURCE_EXHAUSTED: no memory. INTERNAL: `state` does not fit.
absl::StatusOr<WrittenArrays> MakeWhole(const Method& method, absl::Span<const Array> state,
                                        ArrayVector& written);

// A copy of the rows of `array` from `first`, which share no memory with the rows in front of them.
Array CopyRows(const Array& array, int64_t first);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_GROWTH_H_
