#include "stepwell/base/periodic_task.h"

#include "absl/synchronization/blocking_counter.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

TEST(PeriodicTask, RunsAgainAndAgain) {
  int left = 3;
  absl::BlockingCounter runs(left);
  const PeriodicTask task(absl::Milliseconds(1), [&] {
    if (left == 0) return;
    --left;
    runs.DecrementCount();
  });
  runs.Wait();
}

TEST(PeriodicTask, EndsWithoutWaitingForThePause) {
  bool ran = false;
  {
    const PeriodicTask task(absl::Hours(1000), [&ran] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace stepwell
