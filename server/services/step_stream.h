#ifndef STEPWELL_SERVER_SERVICES_STEP_STREAM_H_
#define STEPWELL_SERVER_SERVICES_STEP_STREAM_H_

#include <cstdint>
#include <memory>

#include "server/rpc/bidi_stream_call.h"
#include "stepwell/engine/engine.h"

namespace stepwell::server {

// Serves one StepStream: decodes the next steps while one runs, runs one at a time from the version that the
// one before made, and answers in order. It reads no further than memory is bounded: at most 128 steps that
// wait, run, or whose replies the client has not taken, and beyond `max_message_bytes` of steps or of replies
// that wait no more than one message of each. `engine` must outlive the call; a reply holds at most
// `max_message_bytes` of arrays.
void ServeStepStream(Engine* engine, int64_t max_message_bytes, std::shared_ptr<BidiStreamCall> call);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_STEP_STREAM_H_
