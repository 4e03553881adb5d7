// Imports that a store, a sweep or a caller does not let come to their end.
#include "stepwell/engine/snapshot_import.h"

#include <atomic>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/testing/forwarding_store.h"
#include "stepwell/storage/testing/store_calls.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Counts what is asked of it, and refuses what its fields say.
class RefusingStore final : public testing::ForwardingStore {
 public:
  void Commit(CommitBatch batch, Durability durability, DoneCallback visible, DoneCallback durable) override {
    if (durability == Durability::kSync) ++syncs;
    if (commits_left-- == 0) return std::move(visible)(absl::ResourceExhaustedError("the store is full"));
    // As one with a disk, if it has one.
    ForwardingStore::Commit(std::move(batch), has_disk ? Durability::kAsync : durability, std::move(visible),
                            std::move(durable));
  }
  void DropSnapshots(SnapshotDrop drop, Durability durability, Callback<int64_t> done) override {
    drops.push_back(drop.versions.size());
    if (refuses_drops) return std::move(done)(absl::InternalError("it cannot drop"));
    ForwardingStore::DropSnapshots(std::move(drop), durability, std::move(done));
  }

  int64_t commits_left = -1;
  bool has_disk = false;
  bool refuses_drops = false;
  int syncs = 0;
  std::vector<size_t> drops;
};

class SnapshotImportTest : public ::testing::Test {
 protected:
  SnapshotImportTest() { EXPECT_TRUE(models_.Load("counter").ok()); }

  absl::StatusOr<std::unique_ptr<SnapshotImport>> Open(int64_t count, CallContext call = {}) {
    return engine_.ImportSnapshots({.history = {.model = "counter",
                                                .revisions = {{1, models_.Find("counter").value()->digest()}},
                                                .snapshot_count = count},
                                    .branch = "live",
                                    .call = std::move(call)});
  }
  // Made long ago.
  static MovedSnapshot Counter(int32_t value) {
    return {.version = Version(100 + value),
            .revision = 1,
            .method = "step",
            .create_time = absl::FromUnixSeconds(1000),
            .step_count = value,
            .arrays = {{"count", Array::Scalar<int32_t>(value)}}};
  }
  std::vector<Version> All() { return testing::ScanSnapshots(store_, Version(int64_t{1} << 60), 100'000); }
  void RunSweep() {
    absl::StatusOr<absl::Duration> pause;
    do {
      pause = engine_.Retain();
      ASSERT_TRUE(pause.ok()) << pause.status();
    } while (*pause < RetentionOptions().pause);
  }

  RefusingStore store_;
  ModelRepository models_{{.root = STEPWELL_SOURCE_DIR "/tests/data/equinox"}};
  SystemClock clock_;
  Engine engine_{{.retention = {.policy = {.max_age = absl::Hours(1)}}}, &store_, &models_, &clock_};
};

TEST_F(SnapshotImportTest, StoreThatIsFullGetsEverythingBack) {
  const auto moving = Open(10);
  ASSERT_TRUE(moving.ok()) << moving.status();
  ASSERT_TRUE((*moving)->Add(Counter(0)).ok());
  store_.commits_left = 3;
  for (int i = 1; i < 4; ++i) ASSERT_TRUE((*moving)->Add(Counter(i)).ok());
  EXPECT_THAT(All(), SizeIs(4));
  const absl::Status full = (*moving)->Add(Counter(4));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()),
              HasSubstr("version 104 where it comes from: the store is full; nothing of the import is left"));
  EXPECT_THAT(All(), IsEmpty());
}

TEST_F(SnapshotImportTest, WhatCannotBeDeletedIsTold) {
  const auto moving = Open(3);
  ASSERT_TRUE(moving.ok()) << moving.status();
  ASSERT_TRUE((*moving)->Add(Counter(0)).ok());
  store_.refuses_drops = true;
  const absl::Status short_of_some = (*moving)->Finish().status();
  EXPECT_THAT(
      std::string(short_of_some.message()),
      HasSubstr("1 versions of the import are left, from 3 to 3, and could not be deleted: it cannot drop"));
}

TEST_F(SnapshotImportTest, OneThatIsGivenUpLeavesNothing) {
  auto moving = Open(5000);
  ASSERT_TRUE(moving.ok()) << moving.status();
  for (int i = 0; i < 2500; ++i) ASSERT_TRUE((*moving)->Add(Counter(i)).ok());
  moving->reset();
  EXPECT_THAT(All(), IsEmpty());
  EXPECT_THAT(store_.drops, ElementsAre(1000, 1000, 500)) << "no step waits long for a drop";
}

TEST_F(SnapshotImportTest, CallerThatHasGoneEndsIt) {
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  const auto moving = Open(2, {.cancelled = cancelled});
  ASSERT_TRUE(moving.ok()) << moving.status();
  ASSERT_TRUE((*moving)->Add(Counter(0)).ok());
  *cancelled = true;
  EXPECT_EQ((*moving)->Add(Counter(1)).code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(All(), IsEmpty());
}

TEST_F(SnapshotImportTest, SweepsLeaveItAlone) {
  const auto moving = Open(3);
  ASSERT_TRUE(moving.ok()) << moving.status();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*moving)->Add(Counter(i)).ok());
    RunSweep();
  }
  const auto result = (*moving)->Finish();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->branch.head, result->snapshot.record->version);
  EXPECT_THAT(All(), SizeIs(3));
}

TEST_F(SnapshotImportTest, DiskIsWaitedForNowAndThen) {
  store_.has_disk = true;
  const auto moving = Open(2500);
  ASSERT_TRUE(moving.ok()) << moving.status();
  for (int i = 0; i < 2500; ++i) ASSERT_TRUE((*moving)->Add(Counter(i)).ok());
  EXPECT_EQ(store_.syncs, 3) << "the first, and after each thousand";
  EXPECT_TRUE((*moving)->Finish().ok());
}

TEST_F(SnapshotImportTest, StoreWithoutADiskIsAskedOnce) {
  const auto moving = Open(2500);
  ASSERT_TRUE(moving.ok()) << moving.status();
  for (int i = 0; i < 2500; ++i) ASSERT_TRUE((*moving)->Add(Counter(i)).ok());
  EXPECT_EQ(store_.syncs, 1);
  EXPECT_TRUE((*moving)->Finish().ok());
}

}  // namespace
}  // namespace stepwell
