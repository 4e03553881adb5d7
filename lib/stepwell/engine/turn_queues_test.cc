#include "stepwell/engine/turn_queues.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"

namespace stepwell {
namespace {

// As in the engine, the pool ends first, and with it whatever gives out turns.
struct Fixture {
  explicit Fixture(size_t max_waiting) : queues("branch", &pool, max_waiting), pool(1, 1) {}
  TurnQueues queues;
  WorkerPool pool;
};

TEST(TurnQueues, GivesTheFirstCallItsTurnAtOnce) {
  Fixture fixture(1);
  TurnQueues& queues = fixture.queues;
  bool ran = false;
  ASSERT_TRUE(queues.Enter("live", [&] { ran = true; }).ok());
  EXPECT_TRUE(ran);
  queues.Leave("live");
}

TEST(TurnQueues, GivesTurnsInTheOrderOfArrivalAndOneAtATime) {
  Fixture fixture(100);
  TurnQueues& queues = fixture.queues;
  std::vector<int> order;
  absl::Notification done;
  ASSERT_TRUE(queues.Enter("live", [] {}).ok());
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(queues
                    .Enter("live",
                           [&, i] {
                             order.push_back(i);
                             queues.Leave("live");
                             if (i == 49) done.Notify();
                           })
                    .ok());
  }
  EXPECT_TRUE(order.empty()) << "the first turn has not ended";
  queues.Leave("live");
  done.WaitForNotification();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(TurnQueues, TurnMayEndOnAnotherThreadAfterItReturned) {
  Fixture fixture(100);
  TurnQueues& queues = fixture.queues;
  std::vector<std::thread> threads;
  absl::BlockingCounter done(2 * 20);  // Each turn, and the thread that ends it.
  std::atomic<int> inside = 0;
  ASSERT_TRUE(queues.Enter("live", [] {}).ok());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(queues
                    .Enter("live",
                           [&] {
                             EXPECT_EQ(inside.fetch_add(1), 0);
                             threads.emplace_back([&] {
                               inside -= 1;
                               queues.Leave("live");
                               done.DecrementCount();
                             });
                             done.DecrementCount();
                           })
                    .ok());
  }
  queues.Leave("live");
  done.Wait();
  for (std::thread& thread : threads) thread.join();
}

TEST(TurnQueues, RefusesPastItsLimitWithReason) {
  Fixture fixture(2);
  TurnQueues& queues = fixture.queues;
  absl::BlockingCounter ran(2);
  const auto turn = [&] {
    queues.Leave("live");
    ran.DecrementCount();
  };
  ASSERT_TRUE(queues.Enter("live", [] {}).ok());
  ASSERT_TRUE(queues.Enter("live", turn).ok());
  ASSERT_TRUE(queues.Enter("live", turn).ok());
  const absl::Status refused = queues.Enter("live", [] { FAIL() << "was refused"; });
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(refused).reason, "QUEUE_FULL");
  EXPECT_THAT(refused.message(), ::testing::HasSubstr("\"live\""));
  queues.Leave("live");
  ran.Wait();
}

TEST(TurnQueues, BranchesDoNotWaitForEachOther) {
  Fixture fixture(1);
  TurnQueues& queues = fixture.queues;
  bool ran = false;
  ASSERT_TRUE(queues.Enter("one", [] {}).ok());
  ASSERT_TRUE(queues.Enter("two", [&] { ran = true; }).ok());
  EXPECT_TRUE(ran);
  queues.Leave("two");
  queues.Leave("one");
}

}  // namespace
}  // namespace stepwell
