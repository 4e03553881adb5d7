#include "stepwell/state/held_arrays.h"

#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "stepwell/array/append.h"

namespace stepwell {
namespace {

Array OfBytes(int64_t bytes) { return Array::Zeros(DType::kInt8, Shape::Make({bytes}).value()); }

Snapshot With(Snapshot::Arrays arrays) {
  return Snapshot(std::make_shared<const SnapshotRecord>(), std::move(arrays));
}

TEST(HeldArrays, SharedArrayCountsUntilTheLastIsRemoved) {
  HeldArrays held;
  const Array shared = OfBytes(5000);
  const Snapshot first = With({shared, OfBytes(2000)}), second = With({OfBytes(3000), shared});
  held.Add(first);
  EXPECT_EQ(held.bytes(), 7000);
  held.Add(second);
  EXPECT_EQ(held.bytes(), 10'000);
  held.Remove(first);
  EXPECT_EQ(held.bytes(), 8000);
  held.Remove(second);
  EXPECT_EQ(held.bytes(), 0);
}

TEST(HeldArrays, ArrayThatOneSnapshotHasTwiceCountsOnce) {
  HeldArrays held;
  const Array twice = OfBytes(5000);
  const Snapshot snapshot = With({twice, twice});
  held.Add(snapshot);
  EXPECT_EQ(held.bytes(), 5000);
  held.Remove(snapshot);
  EXPECT_EQ(held.bytes(), 0);
}

TEST(HeldArrays, SmallArrayCountsWithEachSnapshot) {
  HeldArrays held;
  const Array shared = OfBytes(HeldArrays::kSmall - 1);
  const Snapshot first = With({shared}), second = With({shared});
  held.Add(first);
  held.Add(second);
  EXPECT_EQ(held.bytes(), 2 * (HeldArrays::kSmall - 1));
  held.Remove(first);
  EXPECT_EQ(held.bytes(), HeldArrays::kSmall - 1);
}

TEST(HeldArrays, VersionsOfAGrowingArrayCountTheirMemoryOnce) {
  HeldArrays held;
  const Array whole = OfBytes(2000), rows = OfBytes(100);
  const Array grown = AppendRows(whole, rows).value();  // In memory of its own, with as much room again.
  const Array more = AppendRows(grown, rows).value();
  ASSERT_EQ(more.bytes().data(), grown.bytes().data());
  const Snapshot first = With({grown}), second = With({more});
  held.Add(first);
  held.Add(second);
  EXPECT_EQ(held.bytes(), 4200);
  held.Remove(second);
  EXPECT_EQ(held.bytes(), 4200);
  // A fork is copied to where it has room.
  const Snapshot fork = With({AppendRows(grown, rows).value()});
  held.Add(fork);
  EXPECT_EQ(held.bytes(), 4200 + 4400);
  held.Remove(first);
  held.Remove(fork);
  EXPECT_EQ(held.bytes(), 0);
}

TEST(HeldArrays, ArrayThatBeginsAnotherCountsWithIt) {
  HeldArrays held;
  const Array whole = OfBytes(5000);
  const Array part = Array::Unchecked(DType::kInt8, Shape::Of({2000}), whole.data().Part(0, 2000));
  const Snapshot first = With({part}), second = With({whole});
  held.Add(first);
  EXPECT_EQ(held.bytes(), 2000);
  held.Add(second);
  EXPECT_EQ(held.bytes(), 5000);
  held.Remove(second);
  held.Remove(first);
  EXPECT_EQ(held.bytes(), 0);
}

TEST(HeldArrays, NothingIsLeftOfWhatManyThreadsAddedAndRemoved) {
  HeldArrays held;
  const Array shared = OfBytes(5000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&held, &shared] {
      for (int i = 0; i < 200; ++i) {
        const Snapshot snapshot = With({shared, OfBytes(2000)});
        held.Add(snapshot);
        EXPECT_GE(held.bytes(), 0);
        held.Remove(snapshot);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(held.bytes(), 0);
}

}  // namespace
}  // namespace stepwell
