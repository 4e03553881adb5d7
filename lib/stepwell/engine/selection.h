#ifndef STEPWELL_ENGINE_SELECTION_H_
#define STEPWELL_ENGINE_SELECTION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/engine/requests.h"
#include "stepwell/model/state_spec.h"

namespace stepwell {

// The position in `spec` of one index. INVALID_ARGUMENT for a subtree; else as StateSpec::Position and
// CheckPosition.
absl::StatusOr<int> ResolvePosition(const StateSpec& spec, const Index& index);

// The positions in `spec` of an index or a subtree, in spec order. Errors as ResolvePosition and
// StateSpec::Subtree.
absl::StatusOr<std::vector<int>> ResolvePositions(const StateSpec& spec, const Index& index);

// A part of one state array.
struct Selected {
  int position;
  const std::vector<Slice>* slices;  // Of the selector, which must outlive this.
};

// What `selectors` take from a state of `spec`, in their order; everything, in spec order, when there are
// none.
absl::StatusOr<std::vector<Selected>> Resolve(const StateSpec& spec,
                                              absl::Span<const ArraySelector> selectors);

// Cuts `selected` out of the arrays of a state. Errors as TakeSlice, with the index named.
absl::StatusOr<NamedArrays> Take(const StateSpec& spec, absl::Span<const Selected> selected,
                                 absl::Span<const Array> arrays);

// Bytes of all of `arrays`.
int64_t ByteCount(const NamedArrays& arrays);

// Bytes that Take would have to copy at most: those of the arrays with slices.
int64_t MaxCopiedBytes(absl::Span<const Selected> selected, absl::Span<const Array> arrays);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_SELECTION_H_
