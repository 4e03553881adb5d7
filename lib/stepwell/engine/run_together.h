#ifndef STEPWELL_ENGINE_RUN_TOGETHER_H_
#define STEPWELL_ENGINE_RUN_TOGETHER_H_

#include <cstddef>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/engine/snapshot_writer.h"
#include "stepwell/engine/step.h"

namespace stepwell {

// Computes prepared steps, those of one method in as few runs as it allows, and calls `take` with where each
// stands among them and what it computed. A step that fails fails alone. CANCELLED, DEADLINE_EXCEEDED: before
// it ran.
void ComputeTogether(absl::Span<const std::shared_ptr<Step>> steps,
                     absl::FunctionRef<void(size_t, absl::StatusOr<MethodResult>&&)> take);

// Computes prepared steps and commits each by itself, in one batch where the store takes it.
void RunTogether(absl::Span<const std::shared_ptr<Step>> steps, SnapshotWriter& writer);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_RUN_TOGETHER_H_
