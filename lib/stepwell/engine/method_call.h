#ifndef STEPWELL_ENGINE_METHOD_CALL_H_
#define STEPWELL_ENGINE_METHOD_CALL_H_

#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/engine/requests.h"
#include "stepwell/model/model.h"

namespace stepwell {

// `given`, in the order of the method's inputs; not checked against their specs. INVALID_ARGUMENT: one that
// is missing, unknown or given twice.
absl::StatusOr<ArrayVector> OrderInputs(const Method& method, NamedArrays&& given);

// Where the outputs of these names stand among the method's; all of them when none is named.
// INVALID_ARGUMENT: one that the method does not have.
absl::StatusOr<absl::InlinedVector<int, 4>> ChooseOutputs(const Method& method,
                                                          absl::Span<const std::string> names);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_METHOD_CALL_H_
