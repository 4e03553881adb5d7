#ifndef STEPWELL_SERVER_CONVERT_STEP_MESSAGES_H_
#define STEPWELL_SERVER_CONVERT_STEP_MESSAGES_H_

#include "absl/status/statusor.h"
#include "server/convert/message_writer.h"
#include "stepwell/engine/requests.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {

// From messages that ask for a step to the engine's request, and from its result to a StepResponse. Errors
// are INVALID_ARGUMENT.
absl::StatusOr<StepRequest> DecodeStep(v1::StepRequest&& message);

// What a step of a stream says: state, expected_head and durability are the stream's to set.
absl::StatusOr<StepRequest> DecodeStep(v1::StepStreamRequest::Step&& message);

// The StepResponse, not yet finished.
MessageWriter WriteStep(const StepResult& result);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_CONVERT_STEP_MESSAGES_H_
