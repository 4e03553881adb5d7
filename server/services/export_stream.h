#ifndef STEPWELL_SERVER_SERVICES_EXPORT_STREAM_H_
#define STEPWELL_SERVER_SERVICES_EXPORT_STREAM_H_

#include <memory>

#include "server/rpc/server_stream_call.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/engine/engine.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {

// Answers an ExportSnapshots: a header, then the snapshots, each with its bytes in chunks that share the
// arrays' memory. What is read ahead of the client is one snapshot, or about a MiB of small ones. `engine`
// and `movers`, whose threads wait for the store, must outlive the call.
void ServeExport(Engine* engine, WorkerPool* movers, std::shared_ptr<ServerStreamCall> call,
                 v1::ExportSnapshotsRequest&& message);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_EXPORT_STREAM_H_
