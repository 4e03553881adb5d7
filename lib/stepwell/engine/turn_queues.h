#ifndef STEPWELL_ENGINE_TURN_QUEUES_H_
#define STEPWELL_ENGINE_TURN_QUEUES_H_

#include <array>
#include <cstddef>
#include <list>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/base/worker_pool.h"

namespace stepwell {

// Gives the calls that are about one thing, such as a branch, their turns: one at a time, in the order they
// came. Different things do not wait for each other. Thread-safe.
class TurnQueues {
 public:
  using Turn = absl::AnyInvocable<void()>;

  // What waited for its turn runs on `pool`, which is not touched before the first turn and must end before
  // this does: its threads give out the turns. At most `max_waiting` calls wait for one thing. `what` says in
  // errors what the things are, as "branch".
  TurnQueues(absl::string_view what, WorkerPool* pool, size_t max_waiting)
      : what_(what), pool_(pool), max_waiting_(max_waiting) {}

  // Runs `turn` inside this call when nobody has `name`'s turn, else later, on the pool. Each turn ends
  // with one Leave, on any thread, perhaps after `turn` has returned. RESOURCE_EXHAUSTED (QUEUE_FULL): `turn`
  // is dropped.
  absl::Status Enter(const std::string& name, Turn turn);

  // Ends the turn that runs.
  void Leave(const std::string& name);

 private:
  // The turns of one thing; it exists while somebody has the turn.
  struct Queue {
    std::list<Turn> waiting;
    bool draining = false;  // A pool thread gives out the turns.
    bool left = false;      // The turn that the pool thread gave has ended.
  };
  struct Shard {
    absl::Mutex mutex;
    absl::flat_hash_map<std::string, Queue> queues ABSL_GUARDED_BY(mutex);
  };

  Shard& ShardOf(const std::string& name);
  void Drain(const std::string& name);

  const std::string what_;
  WorkerPool* const pool_;
  const size_t max_waiting_;
  std::array<Shard, 16> shards_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_TURN_QUEUES_H_
