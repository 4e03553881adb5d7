#include "stepwell/storage/store_conformance.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "stepwell/base/error_info.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr absl::Time kTime = absl::FromUnixSeconds(3600);

template <typename T, typename Start>
absl::StatusOr<T> Wait(Start start) {
  absl::Notification called;
  absl::StatusOr<T> result = absl::UnknownError("never called back");
  start([&](absl::StatusOr<T> value) {
    result = std::move(value);
    called.Notify();
  });
  called.WaitForNotification();
  return result;
}

absl::StatusOr<Version> Reserve(Store& store) {
  const auto block = Wait<VersionBlock>([&](auto done) { store.ReserveVersions(1, std::move(done)); });
  if (!block.ok()) return block.status();
  return block->begin;
}

absl::StatusOr<BranchRecord> ReadBranch(Store& store, absl::string_view name) {
  return Wait<BranchRecord>([&](auto done) { store.ReadBranch(name, std::move(done)); });
}

absl::StatusOr<std::shared_ptr<const SnapshotRecord>> ReadSnapshot(Store& store, Version version) {
  return Wait<std::shared_ptr<const SnapshotRecord>>(
      [&](auto done) { store.ReadSnapshot(version, std::move(done)); });
}

absl::StatusOr<Array> ReadArray(Store& store, Version writer, int position) {
  return Wait<Array>([&](auto done) { store.ReadArray(writer, position, std::move(done)); });
}

// Commits and waits until the durability is reached; the decision when there was none.
absl::Status Commit(Store& store, CommitBatch batch, Durability durability = Durability::kAsync) {
  absl::Notification called;
  absl::Status result = absl::UnknownError("never called back");
  store.Commit(
      std::move(batch), durability,
      [&](absl::Status decided) {
        if (decided.ok()) return;
        result = std::move(decided);
        called.Notify();
      },
      [&](absl::Status reached) {
        result = std::move(reached);
        called.Notify();
      });
  called.WaitForNotification();
  return result;
}

// A snapshot of two arrays that wrote those at `positions`; the others were written by `parent`.
NewSnapshot MakeSnapshot(Version version, std::optional<Version> parent, std::vector<int> positions,
                         int32_t value) {
  SnapshotRecord record;
  record.version = version;
  record.parent = parent;
  record.model = "counter";
  record.revision = 1;
  record.method = "step";
  record.create_time = kTime;
  record.labels = {{"kind", "test"}};
  record.step_count = 3;
  record.writers = {parent.value_or(version), parent.value_or(version)};
  NewSnapshot snapshot;
  for (const int position : positions) {
    record.writers[static_cast<size_t>(position)] = version;
    snapshot.arrays.emplace_back(position, Array::Scalar<int32_t>(value + position));
  }
  snapshot.record = std::make_shared<const SnapshotRecord>(std::move(record));
  return snapshot;
}

BranchRecord MakeBranch(absl::string_view name, Version head) {
  return {.name = std::string(name),
          .model = "counter",
          .head = head,
          .create_time = kTime,
          .update_time = kTime};
}

TEST_P(StoreConformance, ReturnsWhatWasCommitted) {
  const Version version = Reserve(*store_).value();
  CommitBatch batch;
  batch.snapshots.push_back(MakeSnapshot(version, std::nullopt, {0, 1}, 10));
  ASSERT_TRUE(Commit(*store_, std::move(batch)).ok());

  const auto record = ReadSnapshot(*store_, version);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ((*record)->version, version);
  EXPECT_EQ((*record)->parent, std::nullopt);
  EXPECT_EQ((*record)->model, "counter");
  EXPECT_EQ((*record)->revision, 1);
  EXPECT_EQ((*record)->method, "step");
  EXPECT_EQ((*record)->create_time, kTime);
  EXPECT_EQ((*record)->step_count, 3);
  EXPECT_THAT((*record)->labels, ElementsAre(Pair("kind", "test")));
  EXPECT_THAT((*record)->writers, ElementsAre(version, version));
  EXPECT_EQ(*ReadArray(*store_, version, 0), Array::Scalar<int32_t>(10));
  EXPECT_EQ(*ReadArray(*store_, version, 1), Array::Scalar<int32_t>(11));
}

TEST_P(StoreConformance, KeepsOneCopyOfAnArrayThatSnapshotsShare) {
  const Version root = Reserve(*store_).value();
  const Version child = Reserve(*store_).value();
  CommitBatch batch;
  batch.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 10));
  batch.snapshots.push_back(MakeSnapshot(child, root, {1}, 20));
  ASSERT_TRUE(Commit(*store_, std::move(batch)).ok());
  EXPECT_THAT((*ReadSnapshot(*store_, child))->writers, ElementsAre(root, child));
  EXPECT_EQ(*ReadArray(*store_, child, 1), Array::Scalar<int32_t>(21));
  EXPECT_EQ(ReadArray(*store_, child, 0).status().code(), absl::StatusCode::kNotFound)
      << "the child did not write it; its record says who did";
}

TEST_P(StoreConformance, UnknownVersionIsNotFoundWithReason) {
  const auto record = ReadSnapshot(*store_, Version(999));
  EXPECT_EQ(record.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorInfo(record.status()).reason, "SNAPSHOT_UNKNOWN");
  const auto array = ReadArray(*store_, Version(999), 0);
  EXPECT_EQ(array.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorInfo(array.status()).reason, "SNAPSHOT_UNKNOWN");
}

TEST_P(StoreConformance, MakesBranchesAndMovesTheirHeads) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  EXPECT_EQ(ReadBranch(*store_, "live")->head, root);

  const Version next = Reserve(*store_).value();
  CommitBatch move;
  move.snapshots.push_back(MakeSnapshot(next, root, {0}, 1));
  move.branch_moves.push_back({"live", root, next, kTime + absl::Seconds(1)});
  ASSERT_TRUE(Commit(*store_, std::move(move)).ok());
  const auto branch = ReadBranch(*store_, "live");
  EXPECT_EQ(branch->head, next);
  EXPECT_EQ(branch->model, "counter");
  EXPECT_EQ(branch->create_time, kTime);
  EXPECT_EQ(branch->update_time, kTime + absl::Seconds(1));
}

TEST_P(StoreConformance, MoveFromAnotherHeadIsAbortedWithTheHeadAndStoresNothing) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  make.new_branches.push_back(MakeBranch("other", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());

  const Version next = Reserve(*store_).value();
  CommitBatch move;
  move.snapshots.push_back(MakeSnapshot(next, root, {0}, 1));
  move.branch_moves.push_back({"other", root, next, kTime});
  move.branch_moves.push_back({"live", Version(next.value() + 1), next, kTime});
  const absl::Status status = Commit(*store_, std::move(move));
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  const ErrorInfo info = GetErrorInfo(status);
  EXPECT_EQ(info.reason, "HEAD_MOVED");
  EXPECT_THAT(info.metadata, ::testing::Contains(Pair("current_head", absl::StrCat(root.value()))));
  EXPECT_EQ(ReadBranch(*store_, "live")->head, root);
  EXPECT_EQ(ReadBranch(*store_, "other")->head, root) << "a batch is all or nothing";
  EXPECT_EQ(ReadSnapshot(*store_, next).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(StoreConformance, BranchNameThatIsTakenAlreadyExistsAndStoresNothing) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());

  const Version second = Reserve(*store_).value();
  CommitBatch again;
  again.snapshots.push_back(MakeSnapshot(second, std::nullopt, {0, 1}, 0));
  again.new_branches.push_back(MakeBranch("live", second));
  const absl::Status status = Commit(*store_, std::move(again));
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(GetErrorInfo(status).reason, "BRANCH_EXISTS");
  EXPECT_EQ(ReadBranch(*store_, "live")->head, root);
  EXPECT_EQ(ReadSnapshot(*store_, second).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(StoreConformance, UnknownBranchIsNotFoundWithReason) {
  const auto branch = ReadBranch(*store_, "nowhere");
  EXPECT_EQ(branch.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorInfo(branch.status()).reason, "BRANCH_NOT_FOUND");
  CommitBatch move;
  move.branch_moves.push_back({"nowhere", Version(1), Version(2), kTime});
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(move))).reason, "BRANCH_NOT_FOUND");
}

TEST_P(StoreConformance, SyncCommitIsDurableOrRefused) {
  const Version version = Reserve(*store_).value();
  CommitBatch batch;
  batch.snapshots.push_back(MakeSnapshot(version, std::nullopt, {0, 1}, 0));
  const absl::Status status = Commit(*store_, std::move(batch), Durability::kSync);
  if (GetParam().has_disk) {
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(store_->IsDurable(version));
  } else {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(GetErrorInfo(status).reason, "DURABILITY_UNAVAILABLE");
    EXPECT_FALSE(store_->IsDurable(version));
    EXPECT_EQ(ReadSnapshot(*store_, version).status().code(), absl::StatusCode::kNotFound);
  }
}

TEST_P(StoreConformance, NeverHandsOutAVersionTwice) {
  absl::Mutex mutex;
  std::vector<int64_t> handed_out;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto block =
            Wait<VersionBlock>([&](auto done) { store_->ReserveVersions(1 + i % 7, std::move(done)); });
        absl::MutexLock lock(&mutex);
        for (int64_t v = block->begin.value(); v < block->end.value(); ++v) handed_out.push_back(v);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::sort(handed_out.begin(), handed_out.end());
  EXPECT_GT(handed_out.front(), 0);
  EXPECT_EQ(std::adjacent_find(handed_out.begin(), handed_out.end()), handed_out.end());
}

TEST_P(StoreConformance, ConcurrentMoversOfOneBranchLoseNoMove) {
  constexpr int kThreads = 4, kMoves = 100;
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());

  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int moved = 0; moved < kMoves;) {
        const Version head = ReadBranch(*store_, "live")->head;
        const Version next = Reserve(*store_).value();
        CommitBatch move;
        move.snapshots.push_back(MakeSnapshot(next, head, {0}, 0));
        move.branch_moves.push_back({"live", head, next, kTime});
        const absl::Status status = Commit(*store_, std::move(move));
        if (status.ok()) {
          ++moved;
        } else {
          ASSERT_EQ(status.code(), absl::StatusCode::kAborted) << status;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  int length = 0;
  for (std::optional<Version> at = ReadBranch(*store_, "live")->head; *at != root;
       at = (*ReadSnapshot(*store_, *at))->parent) {
    ++length;
  }
  EXPECT_EQ(length, kThreads * kMoves);
}

}  // namespace
}  // namespace stepwell
