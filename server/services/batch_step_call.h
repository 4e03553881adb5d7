#ifndef STEPWELL_SERVER_SERVICES_BATCH_STEP_CALL_H_
#define STEPWELL_SERVER_SERVICES_BATCH_STEP_CALL_H_

#include <cstdint>
#include <memory>

#include "server/rpc/unary_call.h"
#include "stepwell/engine/engine.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {

// Serves one BatchStep. A step whose message is wrong has its status, and the others are stepped, unless all
// or none are to be. `engine` must outlive the call; the reply holds at most `max_reply_bytes` of arrays.
void ServeBatchStep(Engine* engine, int64_t max_reply_bytes, std::shared_ptr<UnaryCall> call,
                    v1::BatchStepRequest&& message);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_BATCH_STEP_CALL_H_
