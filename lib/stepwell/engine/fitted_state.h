#ifndef STEPWELL_ENGINE_FITTED_STATE_H_
#define STEPWELL_ENGINE_FITTED_STATE_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/engine/errors.h"
#include "stepwell/engine/requests.h"
#include "stepwell/model/repository.h"
#include "stepwell/state/snapshot.h"

namespace stepwell {

// Whether the same index stands at every position.
bool HaveSameLayout(const StateSpec& one, const StateSpec& other);

// Arrays by the position in another state spec than the one that they were made with.
struct LaidOut {
  std::vector<Array> arrays;
  std::vector<StateDifference> differences;  // Where there are any, the arrays are not to be used.
};

// `arrays`, made with `has`, for `expected`. With `adapt`, an index that only one of the two has is no
// difference, unless it has no initial value.
LaidOut LayOutArrays(const StateSpec& has, absl::Span<const Array> arrays, const StateSpec& expected,
                     bool adapt);

// A snapshot's state as a revision of its model takes it. Thread-compatible.
class FittedState {
 public:
  FittedState() = default;

  // The revision of `origin`'s model that `choice` names; absent: the newest, whichever that is.
  static std::optional<int64_t> Revision(const SnapshotOrigin& origin, const RevisionChoice& choice);

  // `snapshot`, which is not null, for the revision that `choice` stands for; takes it over where that is
  // loaded. NOT_FOUND (MODEL_NOT_FOUND): it is not. FAILED_PRECONDITION: it is not ready (MODEL_NOT_READY);
  // or the state does not fit it (STATE_SPEC_MISMATCH), with a line for each difference. With `adapt`, an
  // index that only one of the two has is no difference, unless it has no initial value.
  static absl::StatusOr<FittedState> Fit(const ModelRepository& models,
                                         std::shared_ptr<const Snapshot>& snapshot,
                                         const RevisionChoice& choice, bool adapt);

  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  const std::shared_ptr<const Model>& model() const { return model_; }

  // By position in the model's state spec.
  absl::Span<const Array> arrays() const { return laid_out_.has_value() ? *laid_out_ : snapshot_->arrays(); }

  // Those same arrays, where they are not the snapshot's at the same positions, so that a version made of
  // them shares nothing with it; else absent.
  const std::optional<std::vector<Array>>& laid_out() const { return laid_out_; }

 private:
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<const Model> model_;
  std::optional<std::vector<Array>> laid_out_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_FITTED_STATE_H_
