#include "stepwell/base/periodic_task.h"

#include <utility>

namespace stepwell {

PeriodicTask::PeriodicTask(absl::Duration pause, absl::AnyInvocable<absl::Duration()> task)
    : thread_([this, pause, task = std::move(task)]() mutable {
        while (!ended_.WaitForNotificationWithTimeout(pause)) pause = task();
      }) {}

PeriodicTask::~PeriodicTask() {
  ended_.Notify();
  thread_.join();
}

}  // namespace stepwell
