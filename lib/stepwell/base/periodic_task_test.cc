#include "stepwell/base/periodic_task.h"

#include "absl/synchronization/blocking_counter.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

TEST(PeriodicTask, RunsAgainAfterThePauseThatItAskedFor) {
  int left = 3;
  absl::BlockingCounter runs(left);
  const PeriodicTask task(absl::Milliseconds(1), [&] {
    --left;
    runs.DecrementCount();
    return left == 0 ? absl::Hours(1000) : absl::ZeroDuration();
  });
  runs.Wait();
}

TEST(PeriodicTask, EndsWithoutWaitingForThePause) {
  bool ran = false;
  {
    const PeriodicTask task(absl::Hours(1000), [&ran] {
      ran = true;
      return absl::ZeroDuration();
    });
  }
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace stepwell
