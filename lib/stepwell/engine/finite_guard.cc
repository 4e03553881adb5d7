#include "stepwell/engine/finite_guard.h"

#include "stepwell/array/non_finite.h"
#include "stepwell/engine/errors.h"

namespace stepwell {

absl::Status CheckFinite(const Method& method, const StateSpec& spec, absl::Span<const Array> state,
                         absl::Span<const Array> written) {
  for (size_t i = 0; i < written.size(); ++i) {
    const std::optional<NonFinite> found = FindNonFinite(written[i]);
    if (!found.has_value()) continue;
    const int position = method.writes()[i];
    absl::InlinedVector<int64_t, 4> coordinates = written[i].shape().Unravel(found->element);
    if (method.appends(i)) coordinates[0] += state[static_cast<size_t>(position)].shape()[0];
    return NonFiniteState(method.name(), spec[position].tensor.name, found->value, coordinates);
  }
  return absl::OkStatus();
}

}  // namespace stepwell
