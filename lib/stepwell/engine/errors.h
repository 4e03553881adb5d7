#ifndef STEPWELL_ENGINE_ERRORS_H_
#define STEPWELL_ENGINE_ERRORS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "stepwell/array/shape.h"
#include "stepwell/model/model.h"
#include "stepwell/model/state_spec.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// RESOURCE_EXHAUSTED, reason QUEUE_FULL: `queue` ("the queue of branch \"live\"") holds `limit` calls
// already.
absl::Status QueueFull(absl::string_view queue, size_t limit);

// How a state differs from what a state spec expects.
struct StateDifference {
  std::string index;
  std::string what;  // The index, what is there, and what was expected.
};

// FAILED_PRECONDITION, reason STATE_SPEC_MISMATCH, with the first index as metadata: a state that revision
// `made_by` of `model` made does not fit the state spec of revision `model.revision()`. The message has a
// line for each difference, of which there is one at least.
absl::Status StateSpecMismatch(const Model& model, int64_t made_by,
                               absl::Span<const StateDifference> differences);

// FAILED_PRECONDITION, reason MODEL_DIFFERS, with metadata model and digest: snapshots that `revision` of a
// package of `digest` made are to be imported, and none of the revisions of `model` that are `loaded` is of
// that.
absl::Status ModelDiffers(absl::string_view model, int64_t revision, absl::string_view digest,
                          absl::Span<const std::shared_ptr<const Model>> loaded);

// FAILED_PRECONDITION, reason OTHER_MODEL: `branch` is one of `model`, and `version` of `other`.
absl::Status OtherModel(absl::string_view branch, absl::string_view model, Version version,
                        absl::string_view other);

// RESOURCE_EXHAUSTED, reason REPLY_TOO_LARGE, with metadata bytes and limit; `advice` says what to do
// instead.
absl::Status ReplyTooLarge(int64_t bytes, int64_t limit, absl::string_view advice);

// ABORTED, reason BATCH_NOT_COMMITTED, with metadata step: another step of an all-or-nothing batch, the one
// numbered `failed` from 0, failed with `why`.
absl::Status BatchNotCommitted(size_t failed, const absl::Status& why);

// FAILED_PRECONDITION, reason OUTPUTS_NOT_STACKABLE: `output` had the shape `first`, and then another.
absl::Status OutputsNotStackable(absl::string_view output, const Shape& first, const Shape& now);

// FAILED_PRECONDITION, reason NON_FINITE, with metadata index and position: `method` wrote `value`, which is
// a NaN or an infinity, to the array at `index`, where an element has these coordinates.
absl::Status NonFiniteState(absl::string_view method, absl::string_view index, double value,
                            absl::Span<const int64_t> coordinates);

// OUT_OF_RANGE, reason MOVES_FORGOTTEN: a watch is to go on after a move to `version`, or after `position`,
// where only positions from `oldest` to `newest` will do, which are metadata, too.
absl::Status MovesForgotten(Version version);
absl::Status MovesForgotten(int64_t position, int64_t oldest, int64_t newest);

// RESOURCE_EXHAUSTED, reason WATCH_LIMIT, with metadata limit: so many watches are open already.
absl::Status WatchLimit(int64_t limit);

// INVALID_ARGUMENT, each listing the inputs of `method` with dtype and shape.
absl::Status UnknownInput(absl::string_view method, absl::string_view input,
                          absl::Span<const TensorSpec> inputs);
absl::Status MissingInput(absl::string_view method, absl::string_view input,
                          absl::Span<const TensorSpec> inputs);
absl::Status DuplicateInput(absl::string_view method, absl::string_view input);

// INVALID_ARGUMENT, listing the outputs.
absl::Status UnknownOutput(absl::string_view method, absl::string_view output,
                           absl::Span<const TensorSpec> outputs);

// OK, or INVALID_ARGUMENT: a branch is named by 1 to 128 letters, digits and "._-/:@", and starts with a
// letter or digit.
absl::Status CheckBranchName(absl::string_view name);

// OK, or INVALID_ARGUMENT with the first label that is too long: at most 64 labels, with keys of 1 to 128
// bytes and values of up to 1024. They are kept in memory with every cached snapshot and every branch.
absl::Status CheckLabels(const Labels& labels);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_ERRORS_H_
