#include "stepwell/state/version_allocator.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/storage/memory_store.h"
#include "stepwell/storage/testing/forwarding_store.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;

// A memory store whose reservations wait until the test answers them.
class SlowStore final : public testing::ForwardingStore {
 public:
  void ReserveVersions(int64_t count, Callback<VersionBlock> done) override {
    reservations.emplace_back(count, std::move(done));
  }

  void Answer() {
    auto [count, done] = std::move(reservations.front());
    reservations.erase(reservations.begin());
    ForwardingStore::ReserveVersions(count, std::move(done));
  }

  std::vector<std::pair<int64_t, Callback<VersionBlock>>> reservations;
};

TEST(VersionAllocator, HandsOutNumbersInOrder) {
  MemoryStore store;
  VersionAllocator allocator(&store, 4);
  std::vector<int64_t> versions;
  for (int i = 0; i < 10; ++i) {
    allocator.Next([&](absl::StatusOr<Version> version) { versions.push_back(version->value()); });
  }
  EXPECT_THAT(versions, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST(VersionAllocator, ReservesTheNextBlockBeforeTheLastNumberIsGone) {
  SlowStore store;
  VersionAllocator allocator(&store, 4);
  std::vector<int64_t> versions;
  const auto next = [&] {
    allocator.Next([&](absl::StatusOr<Version> version) { versions.push_back(version->value()); });
  };
  next();
  ASSERT_EQ(store.reservations.size(), 1);
  EXPECT_THAT(versions, ElementsAre());
  store.Answer();
  EXPECT_THAT(versions, ElementsAre(1));
  next();
  ASSERT_EQ(store.reservations.size(), 1) << "half of the block is left";
  next();
  next();
  EXPECT_THAT(versions, ElementsAre(1, 2, 3, 4));
  next();
  EXPECT_EQ(versions.size(), 4) << "it waits for the reservation under way";
  EXPECT_EQ(store.reservations.size(), 1);
  store.Answer();
  EXPECT_THAT(versions, ElementsAre(1, 2, 3, 4, 5));
}

TEST(VersionAllocator, TryNextHasOnlyWhatIsAtHand) {
  SlowStore store;
  VersionAllocator allocator(&store, 4);
  EXPECT_EQ(allocator.TryNext(), std::nullopt);
  EXPECT_TRUE(store.reservations.empty()) << "who needs a number calls Next";
  allocator.Next([](const absl::StatusOr<Version>&) {});
  store.Answer();
  EXPECT_EQ(allocator.TryNext(), Version(2));
  EXPECT_EQ(allocator.TryNext(), Version(3));
  EXPECT_EQ(store.reservations.size(), 1) << "the next block, before the last number is gone";
  EXPECT_EQ(allocator.TryNext(), Version(4));
  EXPECT_EQ(allocator.TryNext(), std::nullopt);
  store.Answer();
}

TEST(VersionAllocator, FailedReservationFailsThoseThatWaitAndTheNextCallTriesAgain) {
  SlowStore store;
  VersionAllocator allocator(&store, 4);
  std::vector<absl::StatusOr<Version>> results;
  const auto next = [&] {
    allocator.Next([&](absl::StatusOr<Version> version) { results.push_back(version); });
  };
  next();
  std::move(store.reservations[0].second)(absl::UnavailableError("no disk"));
  store.reservations.clear();
  ASSERT_EQ(results.size(), 1);
  EXPECT_EQ(results[0].status().code(), absl::StatusCode::kUnavailable);
  next();
  ASSERT_EQ(store.reservations.size(), 1);
  store.Answer();
  ASSERT_EQ(results.size(), 2);
  EXPECT_TRUE(results[1].ok());
}

TEST(VersionAllocator, NeverRepeatsUnderConcurrency) {
  MemoryStore store;
  VersionAllocator allocator(&store, 8);
  absl::Mutex mutex;  // A number may be handed out on the thread that another call has reserved for.
  std::vector<int64_t> all;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        allocator.Next([&](absl::StatusOr<Version> version) {
          const absl::MutexLock lock(&mutex);
          all.push_back(version->value());
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all.size(), 4000);
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

}  // namespace
}  // namespace stepwell
