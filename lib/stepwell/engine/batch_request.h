#ifndef STEPWELL_ENGINE_BATCH_REQUEST_H_
#define STEPWELL_ENGINE_BATCH_REQUEST_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "stepwell/engine/request_ids.h"
#include "stepwell/engine/requests.h"

namespace stepwell {

// OK, or INVALID_ARGUMENT: the batch has no steps or too many, one of them has a request_id, or two of an
// all-or-nothing batch step the same branch.
absl::Status CheckBatch(const BatchStepRequest& request);

// Gives each step what is said for the whole batch, and its share of the reply. `request` is one that
// CheckBatch allows.
void ShareOut(BatchStepRequest& request);

// What step `at` of a batch is remembered under, when the batch is under `key`.
std::optional<RequestKey> KeyOfStep(const std::optional<RequestKey>& key, size_t at);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_BATCH_REQUEST_H_
