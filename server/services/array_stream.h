#ifndef STEPWELL_SERVER_SERVICES_ARRAY_STREAM_H_
#define STEPWELL_SERVER_SERVICES_ARRAY_STREAM_H_

#include "absl/status/statusor.h"
#include "server/rpc/server_stream_call.h"
#include "stepwell/engine/requests.h"

namespace stepwell::server {

// The messages of a ReadArrays reply: a header that describes `read`, then the arrays' bytes from
// `byte_offset` on, in chunks that share the arrays' memory. OUT_OF_RANGE: an offset that is negative or past
// the end.
absl::StatusOr<ServerStreamCall::Source> StreamArrays(GetArraysResult read, int64_t byte_offset);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_ARRAY_STREAM_H_
