#ifndef STEPWELL_ENGINE_GATHERED_STEPS_H_
#define STEPWELL_ENGINE_GATHERED_STEPS_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/engine/step.h"

namespace stepwell {

// Steps that one thread has prepared and will run, in groups of one method, each as many as it runs at once.
// A step that comes later, because it had to wait for its branch's turn, is taken as long as the thread is
// there. Thread-safe.
class GatheredSteps final : public StepGatherer {
 public:
  using Group = std::vector<std::shared_ptr<Step>>;

  // False: TakeAll was called.
  bool Add(std::shared_ptr<Step> step) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes the groups that are full.
  std::vector<Group> TakeFull() ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes every group, and the last chance of those that come later.
  std::vector<Group> TakeAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<const Method*, Group> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<Group> full_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_GATHERED_STEPS_H_
