#ifndef STEPWELL_BASE_PERIODIC_TASK_H_
#define STEPWELL_BASE_PERIODIC_TASK_H_

#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace stepwell {

// Runs a task on a thread of its own, again and again, each time after a pause: the first after `pause`, each
// next one after the pause that the task returned. The destructor ends that: it waits for a run, not for a
// pause.
class PeriodicTask {
 public:
  PeriodicTask(absl::Duration pause, absl::AnyInvocable<absl::Duration()> task);
  ~PeriodicTask();

  PeriodicTask(const PeriodicTask&) = delete;
  PeriodicTask& operator=(const PeriodicTask&) = delete;

 private:
  absl::Notification ended_;
  std::thread thread_;
};

}  // namespace stepwell

#endif  // STEPWELL_BASE_PERIODIC_TASK_H_
