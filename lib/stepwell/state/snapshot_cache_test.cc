#include "stepwell/state/snapshot_cache.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/memory_store.h"
#include "stepwell/storage/testing/forwarding_store.h"

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
std::shared_ptr<const Snapshot> StoreSnapshot(Store& store, Version version) {
  auto stored = std::make_shared<StoredSnapshot>();
  stored->record.version = version;
  stored->record.origin = std::make_shared<const SnapshotOrigin>();
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

// With one array of 1000 bytes of its own, each small enough to count by itself.
std::shared_ptr<const Snapshot> SnapshotOf1000Bytes(Version version) {
  auto record = std::make_shared<SnapshotRecord>();
  record->version = version;
  record->writers = {version};
  return std::make_shared<const Snapshot>(std::move(record),
                                          Snapshot::Arrays{Array::Zeros(DType::kInt8, Shape::Of({1000}))});
}

std::vector<int64_t> VersionsIn(SnapshotCache& cache, int64_t last) {
  std::vector<int64_t> versions;
  for (int64_t v = 1; v <= last; ++v) {
    if (cache.Peek(Version(v)) != nullptr) versions.push_back(v);
  }
  return versions;
}

TEST(SnapshotCache, KeepsTheNewestWithinTheBytes) {
  MemoryStore store;
  SnapshotCache cache(&store, 1000, 20'000);
  for (int64_t v = 1; v <= 100; ++v) {
    cache.Put(SnapshotOf1000Bytes(Version(v)), cache.epoch());
    EXPECT_LE(cache.bytes(), 20'000);
  }
  const std::vector<int64_t> kept = VersionsIn(cache, 100);
  EXPECT_EQ(kept.size(), 20u);
  EXPECT_GT(kept.front(), 64) << "each shard lets go of its oldest in its turn";
  EXPECT_EQ(kept.back(), 100);
}

TEST(SnapshotCache, WhatLeftForWhateverReasonCountsNoMore) {
  MemoryStore store;
  SnapshotCache cache(&store, 16, 1'000'000);  // One in each shard.
  for (int64_t v = 1; v <= 32; ++v) cache.Put(SnapshotOf1000Bytes(Version(v)), cache.epoch());
  EXPECT_EQ(cache.bytes(), 16'000);
  cache.Put(SnapshotOf1000Bytes(Version(32)), cache.epoch());
  EXPECT_EQ(cache.bytes(), 16'000) << "it is here already";
  const std::vector<Version> erased = {Version(31), Version(32)};
  cache.Erase(erased);
  EXPECT_EQ(cache.bytes(), 14'000);
}

TEST(SnapshotCache, KeepsTheNewestAloneHoweverLargeItIs) {
  MemoryStore store;
  SnapshotCache cache(&store, 1000, 16);
  for (int64_t v = 1; v <= 3; ++v) {
    cache.Put(SnapshotOf1000Bytes(Version(v)), cache.epoch());
    EXPECT_EQ(VersionsIn(cache, 3), std::vector<int64_t>{v});
  }
}

TEST(SnapshotCache, ArrayThatManyShareCountsOnce) {
  MemoryStore store;
  SnapshotCache cache(&store, 1000, 5000);
  const Array shared = Array::Zeros(DType::kInt8, Shape::Of({4000}));
  for (int64_t v = 1; v <= 100; ++v) {
    auto record = std::make_shared<SnapshotRecord>();
    record->version = Version(v);
    record->writers = {Version(1)};
    cache.Put(std::make_shared<const Snapshot>(std::move(record), Snapshot::Arrays{shared}), cache.epoch());
  }
  EXPECT_EQ(cache.bytes(), 4000);
  EXPECT_EQ(VersionsIn(cache, 100).size(), 100u);
}

class CountingStore final : public testing::ForwardingStore {
 public:
  void ReadArray(Version writer, int position, Callback<Array> done) override {
    ++reads;
    ForwardingStore::ReadArray(writer, position, std::move(done));
  }
  int reads = 0;
};

// Of one array, which version 1 wrote.
void StoreChild(Store& store, Version version, Version parent) {
  auto stored = std::make_shared<StoredSnapshot>();
  stored->record.version = version;
  stored->record.parent = parent;
  stored->record.origin = std::make_shared<const SnapshotOrigin>();
  stored->record.writers = {Version(1)};
  CommitBatch batch;
  batch.snapshots.push_back(std::move(stored));
  store.Commit(
      std::move(batch), Durability::kAsync, [](absl::Status status) { ASSERT_TRUE(status.ok()); },
      [](absl::Status) {});
}

TEST(SnapshotCache, ReadsNoArrayThatTheParentOrTheWriterHasHere) {
  CountingStore store;
  SnapshotCache cache(&store, 1000);
  cache.Put(StoreSnapshot(store, Version(1)), cache.epoch());
  StoreChild(store, Version(2), Version(1));
  StoreChild(store, Version(3), Version(2));
  const auto child = Get(cache, Version(3));  // Its parent is not here, but the writer is.
  ASSERT_TRUE(child.ok()) << child.status();
  const std::vector<Version> erased = {Version(1)};
  cache.Erase(erased);
  StoreChild(store, Version(4), Version(3));
  const auto grandchild = Get(cache, Version(4));
  ASSERT_TRUE(grandchild.ok()) << grandchild.status();
  EXPECT_EQ((*grandchild)->arrays()[0].bytes().data(), (*child)->arrays()[0].bytes().data());
  EXPECT_EQ(store.reads, 0);
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
