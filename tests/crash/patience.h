#ifndef STEPWELL_TESTS_CRASH_PATIENCE_H_
#define STEPWELL_TESTS_CRASH_PATIENCE_H_

#include <string>

#include "absl/time/time.h"
#include "stepwell/client/options.h"

namespace stepwell::testing {

// Far more than anything takes: what waits as long stands still.
inline constexpr absl::Duration kStandstill = absl::Minutes(10);

// Of a client that takes a server for gone only when its connection breaks, which a killed one's does at
// once.
inline client::ClientOptions PatientOptions(const std::string& address) {
  return {.address = address,
          .default_timeout = kStandstill,
          .retry = {.max_attempts = 1},
          .keepalive_time = absl::InfiniteDuration()};
}

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_PATIENCE_H_
