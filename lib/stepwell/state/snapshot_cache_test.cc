#include "stepwell/state/snapshot_cache.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell {
namespace {

absl::StatusOr<std::shared_ptr<const Snapshot>> Get(SnapshotCache& cache, Version version) {
  absl::StatusOr<std::shared_ptr<const Snapshot>> result = absl::UnknownError("never called back");
  cache.Get(version, [&](auto snapshot) {
    result = std::move(snapshot);
  });  // The memory store answers inside the call.
  return result;
}

absl::StatusOr<std::shared_ptr<const Snapshot>> GetToStep(SnapshotCache& cache, Version version) {
  absl::StatusOr<std::shared_ptr<const Snapshot>> result = absl::UnknownError("never called back");
  cache.GetToStep(version, [&](auto snapshot) { result = std::move(snapshot); });
  return result;
}

// Stores a snapshot of one array under `version`, and returns it.
std::shared_ptr<const Snapshot> StoreSnapshot(MemoryStore& store, Version version) {
  auto stored = std::make_shared<StoredSnapshot>();
  stored->record.version = version;
  stored->record.writers = {version};
  stored->written = {Array::Scalar<int64_t>(version.value())};
  CommitBatch batch;
  batch.snapshots.push_back(stored);
  store.Commit(
      std::move(batch), Durability::kAsync, [](absl::Status status) { ASSERT_TRUE(status.ok()); },
      [](absl::Status) {});
  return std::make_shared<const Snapshot>(std::shared_ptr<const SnapshotRecord>(stored, &stored->record),
                                          stored->written);
}

TEST(SnapshotCache, ReturnsTheVeryObjectThatWasPut) {
  MemoryStore store;
  SnapshotCache cache(&store, 16);
  const auto snapshot = StoreSnapshot(store, Version(1));
  cache.Put(snapshot, cache.epoch());
  EXPECT_EQ(*Get(cache, Version(1)), snapshot);
}

TEST(SnapshotCache, BringsAColdSnapshotBackWhole) {
  MemoryStore store;
  SnapshotCache cache(&store, 16);
  for (int64_t v = 1; v <= 100; ++v) cache.Put(StoreSnapshot(store, Version(v)), cache.epoch());
  const auto cold = Get(cache, Version(1));
  ASSERT_TRUE(cold.ok()) << cold.status();
  EXPECT_EQ((*cold)->version(), Version(1));
  ASSERT_EQ((*cold)->arrays().size(), 1);
  EXPECT_EQ((*cold)->arrays()[0], Array::Scalar<int64_t>(1));
  EXPECT_EQ(*Get(cache, Version(1)), *cold) << "it is hot again";
}

TEST(SnapshotCache, DropsTheLeastRecentlyUsedOfAShard) {
  MemoryStore store;
  SnapshotCache cache(&store, 32);  // Two in each shard; versions 16 apart share one.
  const auto first = StoreSnapshot(store, Version(1)), second = StoreSnapshot(store, Version(17)),
             third = StoreSnapshot(store, Version(33));
  cache.Put(first, cache.epoch());
  cache.Put(second, cache.epoch());
  ASSERT_EQ(*Get(cache, Version(1)), first);
  cache.Put(third, cache.epoch());
  EXPECT_EQ(*Get(cache, Version(1)), first);
  EXPECT_EQ(*Get(cache, Version(33)), third);
  EXPECT_NE(*Get(cache, Version(17)), second) << "read again from the store";
}

// Of one array of 100 bytes, the last of which was appended.
std::shared_ptr<const Snapshot> GrownSnapshot(Version version) {
  auto record = std::make_shared<SnapshotRecord>();
  record->version = version;
  record->writers = {version};
  record->chains.Append(0, Version(version.value() - 1));
  return std::make_shared<const Snapshot>(std::move(record),
                                          Snapshot::Arrays{Array::Zeros(DType::kInt8, Shape::Of({100}))});
}

TEST(SnapshotCache, KeepsWhatWasAppendedToUnderABoundOfBytes) {
  MemoryStore store;
  constexpr int64_t kBytes = 16 * 250;  // Two in each shard; versions 16 apart share one.
  SnapshotCache cache(&store, 16 * 10, kBytes);
  const auto plain = StoreSnapshot(store, Version(1));
  cache.Put(plain, cache.epoch());
  const auto first = GrownSnapshot(Version(17)), second = GrownSnapshot(Version(33)),
             third = GrownSnapshot(Version(49));
  for (const auto& grown : {first, second, third}) cache.Put(grown, cache.epoch());
  EXPECT_EQ(cache.Find(Version(17)), nullptr);
  EXPECT_EQ(cache.Find(Version(33)), second);
  EXPECT_EQ(cache.Find(Version(49)), third);
  EXPECT_EQ(cache.Find(Version(1)), plain) << "what takes no memory of its own stays";
  // What was read is the newest, and what is gone no longer counts.
  EXPECT_EQ(cache.Find(Version(33)), second);
  cache.Put(GrownSnapshot(Version(65)), cache.epoch());
  EXPECT_EQ(cache.Find(Version(33)), second);
  EXPECT_EQ(cache.Find(Version(49)), nullptr);
}

TEST(SnapshotCache, KeepsTheNewestHoweverLargeItIs) {
  MemoryStore store;
  SnapshotCache cache(&store, 16 * 10, 16);
  const auto first = GrownSnapshot(Version(17)), second = GrownSnapshot(Version(33));
  cache.Put(first, cache.epoch());
  EXPECT_EQ(cache.Find(Version(17)), first);
  cache.Put(second, cache.epoch());
  EXPECT_EQ(cache.Find(Version(17)), nullptr);
  EXPECT_EQ(cache.Find(Version(33)), second);
}

TEST(SnapshotCache, CountsNoBytesOfWhatLeftForAnotherReason) {
  MemoryStore store;
  SnapshotCache cache(&store, 16 * 2, 16 * 250);  // Two in each shard.
  cache.Put(GrownSnapshot(Version(17)), cache.epoch());
  cache.Put(GrownSnapshot(Version(33)), cache.epoch());
  const auto third = GrownSnapshot(Version(49)), fourth = GrownSnapshot(Version(65));
  cache.Put(third, cache.epoch());
  cache.Put(fourth, cache.epoch());
  EXPECT_EQ(cache.Find(Version(49)), third);
  EXPECT_EQ(cache.Find(Version(65)), fourth);
}

TEST(SnapshotCache, DropsWhatWasSteppedOnceBeforeWhatIsOlder) {
  MemoryStore store;
  SnapshotCache cache(&store, 32);  // Two in each shard; versions 16 apart share one.
  const auto leaf = StoreSnapshot(store, Version(1)), base = StoreSnapshot(store, Version(17));
  cache.Put(leaf, cache.epoch());
  cache.Put(base, cache.epoch());
  EXPECT_EQ(*GetToStep(cache, Version(17)), base);
  cache.Put(StoreSnapshot(store, Version(33)), cache.epoch());
  EXPECT_EQ(*Get(cache, Version(1)), leaf);
  EXPECT_NE(*Get(cache, Version(17)), base) << "read again from the store";
}

TEST(SnapshotCache, KeepsWhatIsSteppedAgainAndAgain) {
  MemoryStore store;
  SnapshotCache cache(&store, 32);
  const auto leaf = StoreSnapshot(store, Version(1)), prompt = StoreSnapshot(store, Version(17));
  cache.Put(prompt, cache.epoch());
  cache.Put(leaf, cache.epoch());
  EXPECT_EQ(*GetToStep(cache, Version(17)), prompt);
  EXPECT_EQ(*GetToStep(cache, Version(17)), prompt);
  cache.Put(StoreSnapshot(store, Version(33)), cache.epoch());
  EXPECT_EQ(*GetToStep(cache, Version(17)), prompt);
  EXPECT_NE(*Get(cache, Version(1)), leaf);
}

TEST(SnapshotCache, UnknownVersionIsNotFoundWithReason) {
  MemoryStore store;
  SnapshotCache cache(&store, 16);
  const auto snapshot = Get(cache, Version(7));
  EXPECT_EQ(snapshot.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorInfo(snapshot.status()).reason, "SNAPSHOT_UNKNOWN");
}

TEST(SnapshotCache, MissingArrayFailsTheWholeSnapshot) {
  MemoryStore store;
  SnapshotCache cache(&store, 16);
  auto stored = std::make_shared<StoredSnapshot>();
  stored->record.version = Version(5);
  stored->record.writers = {Version(5), Version(4)};  // Nobody wrote version 4.
  stored->written = {Array::Scalar<int64_t>(1)};
  CommitBatch batch;
  batch.snapshots.push_back(std::move(stored));
  store.Commit(
      std::move(batch), Durability::kAsync, [](absl::Status) {}, [](absl::Status) {});
  EXPECT_EQ(Get(cache, Version(5)).status().code(), absl::StatusCode::kNotFound);
}

TEST(SnapshotCache, ErasedSnapshotIsNotFound) {
  MemoryStore store;
  SnapshotCache cache(&store, 16);
  cache.Put(StoreSnapshot(store, Version(1)), cache.epoch());
  cache.Put(StoreSnapshot(store, Version(2)), cache.epoch());
  const std::vector<Version> erased = {Version(1), Version(7)};
  cache.Erase(erased);
  EXPECT_EQ(cache.Find(Version(1)), nullptr);
  EXPECT_NE(cache.Find(Version(2)), nullptr);
}

TEST(SnapshotCache, SnapshotThatWasReadBeforeADropIsNotPutAfterIt) {
  MemoryStore store;
  SnapshotCache cache(&store, 16);
  const SnapshotCache::Epoch before = cache.epoch();
  const auto snapshot = StoreSnapshot(store, Version(1));
  cache.Erase({});
  cache.Put(snapshot, before);
  EXPECT_EQ(cache.Find(Version(1)), nullptr);
}

}  // namespace
}  // namespace stepwell
