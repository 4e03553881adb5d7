#ifndef STEPWELL_SERVER_SERVICES_IMPORT_CALL_H_
#define STEPWELL_SERVER_SERVICES_IMPORT_CALL_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "server/rpc/client_stream_call.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/engine/engine.h"

namespace stepwell::server {

// Exports and imports that may wait for a thread.
inline constexpr size_t kMaxWaitingMoves = 1024;

// RESOURCE_EXHAUSTED (QUEUE_FULL): too many of them do.
absl::Status MoversAreBusy();

// Answers an ImportSnapshots: gathers the bytes of one snapshot, at most `max_bytes` of them, makes it, and
// goes on to the next. `engine` and `movers`, whose threads wait for the store, must outlive the call.
void ServeImport(Engine* engine, WorkerPool* movers, int64_t max_bytes,
                 std::shared_ptr<ClientStreamCall> call);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_IMPORT_CALL_H_
