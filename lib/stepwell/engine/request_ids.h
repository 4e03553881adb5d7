#ifndef STEPWELL_ENGINE_REQUEST_IDS_H_
#define STEPWELL_ENGINE_REQUEST_IDS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stepwell/base/clock.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/engine/call_context.h"
#include "stepwell/engine/turn_queues.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// What a mutation is remembered under.
struct RequestKey {
  std::string id;
  std::string digest;

  // For the commit.
  RequestRecord ToRecord(absl::Time time) const { return {.id = id, .digest = digest, .time = time}; }
};

// Sees to it that a mutation with a request_id is done once, however often it is asked for, also while it is
// under way. Thread-safe.
class RequestIds {
 public:
  // What was done under the id; null: nothing, and it is to be done now.
  using Turn = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<const RequestRecord>>)>;

  // Nothing is owned, and all of it must outlive this, but for `pool`: see TurnQueues. At most `max_waiting`
  // repeats of one request wait for it.
  RequestIds(Store* store, WorkerPool* pool, const Clock* clock, size_t max_waiting)
      : store_(store), clock_(clock), queues_("request_id", pool, max_waiting) {}

  // OK, or INVALID_ARGUMENT: a caller's id is longer than 128 bytes.
  static absl::Status CheckId(const std::string& id);

  // Runs `turn` when nothing else is done under key.id; inside this call if that is now. INVALID_ARGUMENT
  // (REQUEST_ID_REUSED): the id was given with another request. RESOURCE_EXHAUSTED (QUEUE_FULL). CANCELLED,
  // DEADLINE_EXCEEDED: before its turn. Without an error, the turn ends with one Leave.
  void Enter(const RequestKey& key, const CallContext& call, Turn turn);
  void Leave(const std::string& id) { queues_.Leave(id); }

 private:
  Store* const store_;
  const Clock* const clock_;
  TurnQueues queues_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_REQUEST_IDS_H_
