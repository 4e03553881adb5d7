#include "stepwell/engine/set_arrays.h"

#include <variant>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "stepwell/engine/selection.h"

namespace stepwell {

SetArrays::SetArrays(const TransitionContext& context, SetArraysRequest&& request,
                     std::optional<RequestKey> key, Callback&& done)
    : Transition(context, {std::move(request.state), request.expected_head, std::move(request.labels),
                           request.durability, std::move(request.call), std::move(key), request.revision,
                           request.adapt_state}),
      given_(std::move(request.arrays)),
      may_only_move_(!std::holds_alternative<SameRevision>(request.revision)),
      done_(std::move(done)) {}

absl::Status SetArrays::Prepare() {
  const StateSpec& spec = model().state_spec();
  if (given_.empty() && !may_only_move_) {
    return absl::InvalidArgumentError("no arrays are given; expected at least one index with its new array");
  }
  absl::flat_hash_set<int> seen;
  for (auto& [index, array] : given_) {
    const absl::StatusOr<int> position = ResolvePosition(spec, index);
    if (!position.ok()) return position.status();
    const TensorSpec& tensor = spec[*position].tensor;
    if (!seen.insert(*position).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("index \"", tensor.name, "\" is given twice; expected once"));
    }
    const absl::Status fits = tensor.Check("index", array);
    if (!fits.ok()) return fits;
    written_.emplace_back(*position, std::move(array));
  }
  return absl::OkStatus();
}

absl::StatusOr<NewVersions> SetArrays::Compute() {
  NewVersions versions;
  if (!written_.empty() || moves_revision()) versions.push_back({.written = std::move(written_)});
  return versions;
}

}  // namespace stepwell
