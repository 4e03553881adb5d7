#ifndef STEPWELL_ENGINE_GATHERED_STEPS_H_
#define STEPWELL_ENGINE_GATHERED_STEPS_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/engine/snapshot_writer.h"
#include "stepwell/engine/step.h"

namespace stepwell {

// Steps that one worker has prepared and will run, of methods that can run several at once. A step that comes
// later, because it had to wait for its branch's turn, is taken as long as the worker is there. Thread-safe.
class GatheredSteps final : public StepGatherer {
 public:
  // `writer` must outlive this.
  explicit GatheredSteps(SnapshotWriter* writer) : writer_(writer) {}

  // False: the method runs one step at a time, or RunAll was called.
  bool Add(std::shared_ptr<Step> step) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs the batches that are full, on the calling thread.
  void RunFull() ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs everything, and takes no more.
  void RunAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Steps = std::vector<std::shared_ptr<Step>>;

  SnapshotWriter* const writer_;

  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<const Method*, Steps> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<Steps> full_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_GATHERED_STEPS_H_
