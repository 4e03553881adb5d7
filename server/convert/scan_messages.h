#ifndef STEPWELL_SERVER_CONVERT_SCAN_MESSAGES_H_
#define STEPWELL_SERVER_CONVERT_SCAN_MESSAGES_H_

#include "absl/status/statusor.h"
#include "grpcpp/support/byte_buffer.h"
#include "stepwell/engine/requests.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {

// From the message that asks for a scan to the engine's request, and from its result to the ScanResponse.
// Errors are INVALID_ARGUMENT.
absl::StatusOr<ScanRequest> DecodeScan(v1::ScanRequest&& message);
grpc::ByteBuffer EncodeScan(const ScanResult& result);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_CONVERT_SCAN_MESSAGES_H_
