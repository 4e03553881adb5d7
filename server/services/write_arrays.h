#ifndef STEPWELL_SERVER_SERVICES_WRITE_ARRAYS_H_
#define STEPWELL_SERVER_SERVICES_WRITE_ARRAYS_H_

#include <cstdint>
#include <memory>

#include "server/rpc/client_stream_call.h"
#include "stepwell/engine/engine.h"

namespace stepwell::server {

// Serves one WriteArrays: gathers the arrays, one message at a time, then sets them as SetArrays does.
// RESOURCE_EXHAUSTED (MEMORY_LIMIT): more than `max_bytes`. `engine` must outlive the
// call.
void ServeWriteArrays(Engine* engine, int64_t max_bytes, std::shared_ptr<ClientStreamCall> call);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_WRITE_ARRAYS_H_
