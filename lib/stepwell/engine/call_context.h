#ifndef STEPWELL_ENGINE_CALL_CONTEXT_H_
#define STEPWELL_ENGINE_CALL_CONTEXT_H_

#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace stepwell {

// How long a caller waits. Asked before a model runs and before a queued step takes its turn; a step that has
// run is committed. Thread-safe.
struct CallContext {
  absl::Time deadline = absl::InfiniteFuture();
  std::shared_ptr<const std::atomic<bool>> cancelled;  // Null: cannot be cancelled.

  // OK while somebody still waits; CANCELLED or DEADLINE_EXCEEDED.
  absl::Status Check() const;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_CALL_CONTEXT_H_
