#ifndef STEPWELL_CLIENT_SRC_RETRY_H_
#define STEPWELL_CLIENT_SRC_RETRY_H_

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "stepwell/client/options.h"

namespace stepwell::client {

// Decides whether a call is repeated, and after which pause. Thread-compatible.
class Backoff {
 public:
  // A call that ends at `deadline` and may be repeated if `may_repeat`.
  Backoff(const RetryOptions& options, absl::Time deadline, bool may_repeat)
      : options_(options),
        deadline_(deadline),
        may_repeat_(may_repeat),
        most_(std::min(options.initial_backoff, options.max_backoff)) {}

  // The pause after an attempt that ended with `status`. Nothing when there is to be no other: it is not
  // UNAVAILABLE, the call may not be repeated, or the attempts or the time are used up.
  std::optional<absl::Duration> Next(const absl::Status& status);

 private:
  const RetryOptions options_;
  const absl::Time deadline_;
  const bool may_repeat_;
  int attempts_ = 0;
  absl::Duration most_;  // Of the next pause.
};

// Of a stream or a watch that was open and broke: it may be connected again for as long as `timeout`, however
// many attempts that takes, since a server that is started again needs its time; never where calls are not
// repeated.
Backoff WaitForServer(RetryOptions options, absl::Duration timeout);

// Spends `pause` as the options say.
void Sleep(const ClientOptions& options, absl::Duration pause);

// When a call that starts now has to be over.
absl::Time Deadline(const ClientOptions& options, const CallOptions& call);

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_SRC_RETRY_H_
