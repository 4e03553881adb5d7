#ifndef STEPWELL_CLIENT_SRC_RETRY_H_
#define STEPWELL_CLIENT_SRC_RETRY_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "stepwell/client/options.h"

namespace stepwell::client {

// Runs `attempt` until it is OK, fails with something else than UNAVAILABLE, `may_repeat` is false, or the
// attempts or the time until `deadline` are used up; returns what the last one did.
absl::Status Retry(const ClientOptions& options, absl::Time deadline, bool may_repeat,
                   absl::FunctionRef<absl::Status()> attempt);

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_SRC_RETRY_H_
