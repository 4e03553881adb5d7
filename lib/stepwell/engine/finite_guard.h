#ifndef STEPWELL_ENGINE_FINITE_GUARD_H_
#define STEPWELL_ENGINE_FINITE_GUARD_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "stepwell/array/array.h"
#include "stepwell/model/model.h"

namespace stepwell {

// OK, or FAILED_PRECONDITION (NON_FINITE): one of the arrays that `method` of a model with the state spec
// `spec` has `written` on `state`, in the order of its writes, has a NaN or an infinity; index and position
// of the first are told. Of what it appends, these are rows alone, and the position is that in the array as
// it would become.
absl::Status CheckFinite(const Method& method, const StateSpec& spec, absl::Span<const Array> state,
                         absl::Span<const Array> written);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_FINITE_GUARD_H_
