#include "client/src/retry.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/time/clock.h"

namespace stepwell::client {

absl::Status Retry(const ClientOptions& options, absl::Time deadline, bool may_repeat,
                   absl::FunctionRef<absl::Status()> attempt) {
  absl::BitGen random;
  absl::Duration backoff = options.retry.initial_backoff;
  for (int attempts = 1;; ++attempts) {
    absl::Status status = attempt();
    if (status.code() != absl::StatusCode::kUnavailable || !may_repeat ||
        attempts >= options.retry.max_attempts) {
      return status;
    }
    const absl::Duration pause = backoff * absl::Uniform(absl::IntervalClosed, random, 0.5, 1.0);
    if (absl::Now() + pause >= deadline) return status;
    if (options.sleep != nullptr) {
      options.sleep(pause);
    } else {
      absl::SleepFor(pause);
    }
    backoff = std::min(backoff * options.retry.multiplier, options.retry.max_backoff);
  }
}

}  // namespace stepwell::client
