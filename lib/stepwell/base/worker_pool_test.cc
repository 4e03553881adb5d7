#include "stepwell/base/worker_pool.h"

#include <atomic>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

TEST(WorkerPool, RunsEveryTask) {
  WorkerPool pool(2, 1000);
  std::atomic<int> sum = 0;
  absl::BlockingCounter done(1000);
  for (int i = 0; i < 1000; ++i) {
    WorkerPool::Task task = [&] {
      sum += 1;
      done.DecrementCount();
    };
    ASSERT_TRUE(pool.TrySchedule(task));
  }
  done.Wait();
  EXPECT_EQ(sum, 1000);
}

TEST(WorkerPool, RefusesWhenItsQueueIsFullAndLeavesTheTask) {
  absl::Notification started, release;  // Declared before the pool, whose tasks use them until it has ended.
  bool ran_queued = false, ran_refused = false;
  WorkerPool pool(1, 1);
  WorkerPool::Task busy = [&] {
    started.Notify();
    release.WaitForNotification();
  };
  ASSERT_TRUE(pool.TrySchedule(busy));
  started.WaitForNotification();
  WorkerPool::Task queued = [&] { ran_queued = true; };
  WorkerPool::Task refused = [&] { ran_refused = true; };
  ASSERT_TRUE(pool.TrySchedule(queued));
  EXPECT_FALSE(pool.TrySchedule(refused));
  ASSERT_TRUE(refused != nullptr);
  std::move(refused)();
  EXPECT_TRUE(ran_refused);
  EXPECT_FALSE(ran_queued);
  release.Notify();
}

TEST(WorkerPool, RunsWhatIsQueuedBeforeItStops) {
  std::atomic<int> ran = 0;
  {
    WorkerPool pool(1, 100);
    for (int i = 0; i < 100; ++i) {
      WorkerPool::Task task = [&] { ran += 1; };
      ASSERT_TRUE(pool.TrySchedule(task));
    }
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace stepwell
