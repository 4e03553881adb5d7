#ifndef STEPWELL_ENGINE_RUN_TOGETHER_H_
#define STEPWELL_ENGINE_RUN_TOGETHER_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/engine/snapshot_writer.h"
#include "stepwell/engine/step.h"

namespace stepwell {

// What prepared steps compute, in their order: those of one method in as few runs as it allows. A step that
// fails fails alone. CANCELLED, DEADLINE_EXCEEDED: before it ran.
std::vector<absl::StatusOr<MethodResult>> ComputeTogether(absl::Span<const std::shared_ptr<Step>> steps);

// Computes prepared steps and commits each by itself, in one batch where the store takes it.
void RunTogether(absl::Span<const std::shared_ptr<Step>> steps, SnapshotWriter& writer);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_RUN_TOGETHER_H_
