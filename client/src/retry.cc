#include "client/src/retry.h"

#include <algorithm>
#include <limits>

#include "absl/random/random.h"
#include "absl/time/clock.h"

namespace stepwell::client {

std::optional<absl::Duration> Backoff::Next(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kUnavailable || !may_repeat_ ||
      ++attempts_ >= options_.max_attempts) {
    return std::nullopt;
  }
  absl::BitGen random;
  const absl::Duration pause = most_ * absl::Uniform(absl::IntervalClosed, random, 0.5, 1.0);
  if (absl::Now() + pause >= deadline_) return std::nullopt;
  most_ = std::min(most_ * options_.multiplier, options_.max_backoff);
  return pause;
}

Backoff WaitForServer(RetryOptions options, absl::Duration timeout) {
  if (options.max_attempts > 1) options.max_attempts = std::numeric_limits<int>::max();
  return Backoff(options, absl::Now() + timeout, true);
}

void Sleep(const ClientOptions& options, absl::Duration pause) {
  if (options.sleep != nullptr) return options.sleep(pause);
  absl::SleepFor(pause);
}

absl::Time Deadline(const ClientOptions& options, const CallOptions& call) {
  return absl::Now() + (call.timeout > absl::ZeroDuration() ? call.timeout : options.default_timeout);
}

}  // namespace stepwell::client
