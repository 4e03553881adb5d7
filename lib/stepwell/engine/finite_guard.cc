#include "stepwell/engine/finite_guard.h"

#include "stepwell/array/non_finite.h"
#include "stepwell/engine/errors.h"

namespace stepwell {

absl::Status CheckFinite(const Method& method, const StateSpec& spec, absl::Span<const Array> written) {
  for (size_t i = 0; i < written.size(); ++i) {
    const std::optional<NonFinite> found = FindNonFinite(written[i]);
    if (!found.has_value()) continue;
    return NonFiniteState(method.name(), spec[method.writes()[i]].tensor.name, found->value,
                          written[i].shape().Unravel(found->element));
  }
  return absl::OkStatus();
}

}  // namespace stepwell
