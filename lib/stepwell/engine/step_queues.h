#ifndef STEPWELL_ENGINE_STEP_QUEUES_H_
#define STEPWELL_ENGINE_STEP_QUEUES_H_

#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/engine/snapshot_writer.h"
#include "stepwell/engine/step.h"

namespace stepwell {

// Steps that wait for a worker, of methods that can run several at once: a worker that is free takes all that
// wait for one method, up to its limit. One that waits alone is not kept waiting for company; where there are
// several already, the worker waits as long as the method's batching says, for a full batch. Thread-safe.
class StepQueues final : public StepGatherer {
 public:
  // Neither is owned. `pool` is not touched before the first Add and must end before this does.
  StepQueues(WorkerPool* pool, SnapshotWriter* writer) : pool_(pool), writer_(writer) {}

  // False: the pool's queue is full. A queue's limit counts steps, not batches.
  bool Add(std::shared_ptr<Step> step) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Queue = std::deque<std::shared_ptr<Step>>;

  // Runs what waits for `method`, if another worker has not taken it. `method` may be gone then.
  void Work(const Method* method) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::shared_ptr<Step>> Take(const Method* method) ABSL_LOCKS_EXCLUDED(mutex_);

  WorkerPool* const pool_;
  SnapshotWriter* const writer_;

  absl::Mutex mutex_;
  // None is empty: the steps of a queue keep its method alive.
  absl::flat_hash_map<const Method*, Queue> queues_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_STEP_QUEUES_H_
