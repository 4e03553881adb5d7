#ifndef STEPWELL_SERVER_HEALTH_HEALTH_PROBE_H_
#define STEPWELL_SERVER_HEALTH_HEALTH_PROBE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace stepwell::server {

// Asks the server at `address`, "HOST:PORT" or "unix:PATH", whether it serves: what `stepwelld --health`
// does, and with it a container's health check, where nothing but this binary need be there. Blocks for
// `timeout` at most.
//
// OK: it serves. INVALID_ARGUMENT: `address` is of neither form. FAILED_PRECONDITION: it answers that it does
// not serve, as while it drains. UNAVAILABLE: nothing listens there. DEADLINE_EXCEEDED: no answer in time.
// UNIMPLEMENTED: a gRPC server without health checking.
absl::Status ProbeHealth(const std::string& address, absl::Duration timeout);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_HEALTH_HEALTH_PROBE_H_
