#ifndef STEPWELL_STORAGE_WAIT_FOR_H_
#define STEPWELL_STORAGE_WAIT_FOR_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"

namespace stepwell {

// What `start` gives to the callback that it gets: for threads that may wait.
//   const auto record = WaitFor<T>([&](auto done) { store->ReadSnapshot(version, std::move(done)); });
template <typename T, typename Start>
absl::StatusOr<T> WaitFor(Start start) {
  absl::Notification answered;
  absl::StatusOr<T> result;
  start([&](absl::StatusOr<T> answer) {
    result = std::move(answer);
    answered.Notify();
  });
  answered.WaitForNotification();
  return result;
}

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_WAIT_FOR_H_
