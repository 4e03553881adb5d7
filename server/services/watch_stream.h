#ifndef STEPWELL_SERVER_SERVICES_WATCH_STREAM_H_
#define STEPWELL_SERVER_SERVICES_WATCH_STREAM_H_

#include <memory>

#include "server/rpc/server_stream_call.h"
#include "stepwell/engine/branch_watch.h"

namespace stepwell::server {

// Answers `call` with what `watch` tells, until the client ends it or the server drains. What the client has
// not taken is one message of at most 128 moves; the rest is in the engine, which keeps it anyway.
void ServeWatch(std::unique_ptr<BranchWatch> watch, const std::shared_ptr<ServerStreamCall>& call);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_WATCH_STREAM_H_
