#ifndef STEPWELL_ENGINE_AWAIT_H_
#define STEPWELL_ENGINE_AWAIT_H_

#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "stepwell/engine/engine.h"

namespace stepwell {

// Calls `method` of `engine` and blocks until it has answered:
//   absl::StatusOr<StepResult> result = Await(engine, &Engine::Step, request);
template <typename Request, typename Result>
absl::StatusOr<Result> Await(Engine& engine,
                             void (Engine::*method)(Request,
                                                    absl::AnyInvocable<void(absl::StatusOr<Result>)>),
                             std::type_identity_t<std::decay_t<Request>> request) {
  absl::Notification answered;
  absl::StatusOr<Result> result;
  (engine.*method)(std::move(request), [&](absl::StatusOr<Result> answer) {
    result = std::move(answer);
    answered.Notify();
  });
  answered.WaitForNotification();
  return result;
}

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_AWAIT_H_
