#include "stepwell/engine/call_context.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace stepwell {

absl::Status CallContext::Check() const {
  if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed)) {
    return absl::CancelledError("the caller cancelled before the call ran; nothing was changed");
  }
  if (deadline != absl::InfiniteFuture()) {
    const absl::Duration late = absl::Now() - deadline;
    if (late >= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(absl::StrCat("the deadline passed ", absl::FormatDuration(late),
                                                      " before the call ran; nothing was changed"));
    }
  }
  return absl::OkStatus();
}

}  // namespace stepwell
