#include "stepwell/storage/memory_store.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/store_conformance.h"

namespace stepwell {
namespace {

using ::testing::Contains;
using ::testing::Pair;

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance,
                         ::testing::Values(StoreDriver{"memory",
                                                       [] { return std::make_unique<MemoryStore>(); }}));

// A memory store answers before it returns.
absl::Status Commit(MemoryStore& store, CommitBatch batch) {
  absl::Status decided = absl::UnknownError("never called back");
  store.Commit(
      std::move(batch), Durability::kAsync, [&](absl::Status status) { decided = std::move(status); },
      [](const absl::Status& durable) { EXPECT_TRUE(durable.ok()); });
  return decided;
}

bool Has(MemoryStore& store, Version version) {
  bool found = false;
  store.ReadSnapshot(version, [&](const auto& record) { found = record.ok(); });
  return found;
}

// A root whose one array has `bytes` bytes.
CommitBatch Root(int64_t version, int64_t bytes) {
  auto snapshot = std::make_shared<StoredSnapshot>();
  snapshot->record.version = Version(version);
  snapshot->record.writers = {Version(version)};
  snapshot->record.new_bytes = bytes;
  snapshot->written.push_back(Array::Zeros(DType::kUInt8, Shape::Of({bytes})));
  CommitBatch batch;
  batch.snapshots.push_back(std::move(snapshot));
  return batch;
}

constexpr int64_t kArrayBytes = 1000;
constexpr int64_t kRoomForTwo = 2 * (MemoryStore::kBytesPerSnapshot + kArrayBytes);

TEST(MemoryStoreTest, CommitPastTheLimitIsRefusedAndStoresNothing) {
  MemoryStore store({.max_bytes = kRoomForTwo});
  EXPECT_TRUE(Commit(store, Root(1, kArrayBytes)).ok());
  const absl::Status refused = Commit(store, Root(2, kArrayBytes + 1));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(refused).reason, "MEMORY_LIMIT");
  EXPECT_THAT(GetErrorInfo(refused).metadata, Contains(Pair("limit", absl::StrCat(kRoomForTwo))));
  EXPECT_FALSE(Has(store, Version(2)));
  EXPECT_TRUE(Commit(store, Root(3, kArrayBytes)).ok()) << "exactly the limit fits";
  EXPECT_FALSE(Commit(store, Root(4, 0)).ok()) << "a snapshot costs something without any array";
}

TEST(MemoryStoreTest, CommitThatFailsForAnotherReasonTakesNoRoom) {
  MemoryStore store({.max_bytes = kRoomForTwo});
  CommitBatch move = Root(1, 2 * kArrayBytes);
  move.branch_updates.push_back({.name = "nowhere", .head = Version(1)});
  EXPECT_EQ(GetErrorInfo(Commit(store, std::move(move))).reason, "BRANCH_NOT_FOUND");
  EXPECT_TRUE(Commit(store, Root(2, 2 * kArrayBytes)).ok());
}

TEST(MemoryStore, RemembersSoManyRequests) {
  MemoryStore store({.max_requests = 2});
  const absl::Time now = absl::FromUnixSeconds(1000);
  const auto is_remembered = [&](const char* id) {
    bool found = false;
    store.ReadRequest(id, now, [&](const auto& request) { found = *request != nullptr; });
    return found;
  };
  for (const char* id : {"a", "b", "c"}) {
    CommitBatch batch;
    batch.requests.push_back({.id = id, .time = now});
    store.Commit(
        std::move(batch), Durability::kAsync, [](const absl::Status& status) { EXPECT_TRUE(status.ok()); },
        [](const absl::Status&) {});
  }
  EXPECT_FALSE(is_remembered("a"));
  EXPECT_TRUE(is_remembered("b"));
  EXPECT_TRUE(is_remembered("c"));
}

}  // namespace
}  // namespace stepwell
