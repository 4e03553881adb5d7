#include "stepwell/engine/fitted_state.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "stepwell/engine/errors.h"

namespace stepwell {

bool HaveSameLayout(const StateSpec& one, const StateSpec& other) {
  return std::ranges::equal(
      one.arrays(), other.arrays(), {},
      [](const StateArraySpec& array) -> const std::string& { return array.tensor.name; },
      [](const StateArraySpec& array) -> const std::string& { return array.tensor.name; });
}

LaidOut LayOutArrays(const StateSpec& has, absl::Span<const Array> arrays, const StateSpec& expected,
                     bool adapt) {
  LaidOut laid_out;
  for (const auto& [tensor, initial] : expected.arrays()) {
    const std::optional<int> position = has.Find(tensor.name);
    if (position.has_value()) {
      const Array& array = arrays[static_cast<size_t>(*position)];
      const absl::Status fits = tensor.Check("index", array);
      if (!fits.ok()) laid_out.differences.push_back({tensor.name, std::string(fits.message())});
      laid_out.arrays.push_back(array);
      continue;
    }
    const auto* value = std::get_if<Array>(&initial);
    if (!adapt || value == nullptr) {
      laid_out.differences.push_back(
          {tensor.name, absl::StrCat("index \"", tensor.name, "\" is missing; expected ", tensor.ToString(),
                                     value == nullptr ? ", which has no initial value" : "")});
      continue;
    }
    laid_out.arrays.push_back(*value);
  }
  for (const auto& [tensor, initial] : has.arrays()) {
    if (adapt || expected.Find(tensor.name).has_value()) continue;
    laid_out.differences.push_back(
        {tensor.name,
         absl::StrCat("index \"", tensor.name, "\" is ", tensor.ToString(), "; expected no such index")});
  }
  return laid_out;
}

std::optional<int64_t> FittedState::Revision(const SnapshotOrigin& origin, const RevisionChoice& choice) {
  if (std::holds_alternative<NewestRevision>(choice)) return std::nullopt;
  const auto* revision = std::get_if<int64_t>(&choice);
  return revision == nullptr ? origin.revision : *revision;
}

absl::StatusOr<FittedState> FittedState::Fit(const ModelRepository& models,
                                             std::shared_ptr<const Snapshot>& snapshot,
                                             const RevisionChoice& choice, bool adapt) {
  const SnapshotOrigin& origin = *snapshot->record().origin;
  const std::optional<int64_t> revision = Revision(origin, choice);
  absl::StatusOr<std::shared_ptr<const Model>> model =
      revision.has_value() ? models.Find(origin.model, *revision) : models.Find(origin.model);
  if (!model.ok()) return model.status();
  FittedState fitted;
  fitted.snapshot_ = std::move(snapshot);
  fitted.model_ = *std::move(model);
  if (fitted.model_->revision() == origin.revision) return fitted;

  const absl::StatusOr<std::shared_ptr<const StateSpec>> made_with =
      models.FindStateSpec(origin.model, origin.revision);
  if (!made_with.ok()) return made_with.status();
  const StateSpec& expected = fitted.model_->state_spec();
  LaidOut laid_out = LayOutArrays(**made_with, fitted.snapshot_->arrays(), expected, adapt);
  if (!laid_out.differences.empty()) {
    return StateSpecMismatch(*fitted.model_, origin.revision, laid_out.differences);
  }
  if (!HaveSameLayout(**made_with, expected)) fitted.laid_out_ = std::move(laid_out.arrays);
  return fitted;
}

}  // namespace stepwell
