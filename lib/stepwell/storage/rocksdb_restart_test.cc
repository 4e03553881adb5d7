#include <filesystem>
#include <map>
#include <set>

#include "absl/random/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/memory_store.h"
#include "stepwell/storage/rocksdb_store.h"
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using testing::Commit;
using testing::Drop;
using ::testing::ElementsAre;
using testing::kTime;
using testing::MakeBranch;
using testing::MakeSnapshot;
using ::testing::Pair;
using testing::ReadArray;
using testing::ReadBranch;
using testing::ReadModelRevisions;
using testing::ReadRequest;
using testing::ReadSnapshot;
using testing::RecordModelRevision;
using testing::Reserve;

class RocksDbRestart : public ::testing::Test {
 protected:
  RocksDbRestart() { Restart(); }

  void Restart() {
    store_.reset();
    auto opened = RocksDbStore::Open({.path = directory_.path()});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<RocksDbStore> store_;
};

TEST_F(RocksDbRestart, RecordsAndArraysAreThereAfterARestart) {
  const Version version = Reserve(*store_).value();
  auto snapshot = std::make_shared<StoredSnapshot>();
  SnapshotRecord& record = snapshot->record;
  record.version = version;
  record.origin = std::make_shared<const SnapshotOrigin>(SnapshotOrigin{"model", 7, "method"});
  record.create_time = kTime + absl::Nanoseconds(123456789);
  record.labels = Labels{{"a", "b"}, {"c", ""}};
  record.step_count = 5;
  record.state_bytes = 6;
  record.new_bytes = 7;
  record.pinned = true;
  // Of every dtype: none, one and many elements, and more than goes into a blob.
  for (const DType dtype : kAllDTypes) {
    for (const Shape& shape : {Shape::Of({0, 3}), Shape(), Shape::Of({2, 3}), Shape::Of({128, 128})}) {
      record.writers.push_back(version);
      snapshot->written.push_back(Array::Zeros(dtype, shape));
    }
  }
  CommitBatch batch;
  batch.snapshots.push_back(snapshot);
  ASSERT_TRUE(Commit(*store_, std::move(batch)).ok());
  Restart();
  const auto read = ReadSnapshot(*store_, version);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*(*read)->origin, *record.origin);
  EXPECT_EQ((*read)->parent, std::nullopt);
  EXPECT_EQ(absl::Time((*read)->create_time), absl::Time(record.create_time));
  EXPECT_EQ(*(*read)->labels, *record.labels);
  EXPECT_EQ((*read)->step_count, 5);
  EXPECT_EQ((*read)->state_bytes, 6);
  EXPECT_EQ((*read)->new_bytes, 7);
  EXPECT_TRUE((*read)->pinned);
  EXPECT_EQ((*read)->writers, record.writers);
  for (size_t position = 0; position < snapshot->written.size(); ++position) {
    EXPECT_EQ(ReadArray(*store_, version, static_cast<int>(position)).value(), snapshot->written[position])
        << position;
  }
  EXPECT_TRUE(store_->IsDurable(version));
}

TEST_F(RocksDbRestart, RevisionsOfModelsAreThereAfterARestart) {
  ModelRevisionRecord record{"m", 2, "sha256:2", {}};
  for (const DType dtype : kAllDTypes)
    record.state.push_back({std::string(DTypeName(dtype)), dtype, {-1, 3}});
  ASSERT_TRUE(RecordModelRevision(*store_, record).ok());
  Restart();
  EXPECT_THAT(ReadModelRevisions(*store_).value(), ElementsAre(record));
}

TEST_F(RocksDbRestart, BranchesAreThereAfterARestartAndHoldTheirHeads) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  make.new_branches.back().labels = {{"a", "b"}};
  make.new_branches.push_back(MakeBranch("brief", root));
  // As far away as a request can say.
  const absl::Time expire_time = absl::FromUnixSeconds(253402300799) + absl::Nanoseconds(999999999);
  make.new_branches.back().expire_time = expire_time;
  make.new_branches.push_back(MakeBranch("gone", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  ASSERT_TRUE(Commit(*store_, CommitBatch{.branch_deletions = {{.name = "gone"}}}).ok());
  Restart();
  const auto live = ReadBranch(*store_, "live");
  ASSERT_TRUE(live.ok()) << live.status();
  EXPECT_EQ(live->model, "counter");
  EXPECT_EQ(live->head, root);
  EXPECT_EQ(live->create_time, kTime);
  EXPECT_EQ(live->update_time, kTime);
  EXPECT_EQ(live->expire_time, absl::InfiniteFuture());
  EXPECT_THAT(live->labels, ElementsAre(Pair("a", "b")));
  EXPECT_EQ(ReadBranch(*store_, "brief")->expire_time, expire_time);
  EXPECT_FALSE(ReadBranch(*store_, "gone").ok());
  EXPECT_EQ(GetErrorInfo(Drop(*store_, {root}).status()).reason, "SNAPSHOT_IS_HEAD");
}

TEST_F(RocksDbRestart, CommitOnWhatAnEarlierProcessMadeReadsWhetherItIsThere) {
  const Version root = Reserve(*store_).value();
  const Version dropped = Reserve(*store_).value();
  const Version unused = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.snapshots.push_back(MakeSnapshot(dropped, root, {0, 1}, 0));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  ASSERT_TRUE(Drop(*store_, {dropped}).ok());
  Restart();
  const auto commit_on = [this](Version parent) {
    CommitBatch batch;
    batch.snapshots.push_back(MakeSnapshot(Reserve(*store_).value(), parent, {0}, 1));
    return Commit(*store_, std::move(batch));
  };
  EXPECT_TRUE(commit_on(root).ok());
  EXPECT_EQ(GetErrorInfo(commit_on(dropped)).reason, "SNAPSHOT_EVICTED");
  EXPECT_EQ(GetErrorInfo(commit_on(unused)).reason, "SNAPSHOT_UNKNOWN");
  EXPECT_EQ(GetErrorInfo(ReadSnapshot(*store_, dropped).status()).reason, "SNAPSHOT_EVICTED");
  EXPECT_EQ(GetErrorInfo(ReadSnapshot(*store_, unused).status()).reason, "SNAPSHOT_UNKNOWN");
  ASSERT_TRUE(Commit(*store_, CommitBatch{.snapshot_updates = {{.version = root, .pinned = true}}}).ok());
  EXPECT_EQ(GetErrorInfo(Drop(*store_, {root}).status()).reason, "SNAPSHOT_PINNED");
}

TEST_F(RocksDbRestart, RequestsAreRememberedAfterARestart) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  RequestRecord request{.id = "a",
                        .digest = std::string("\0\xff", 2),
                        .time = kTime,
                        .base = Version(3),
                        .revision = 4,
                        .versions = {root, Version(9)},
                        .branch = MakeBranch("live", root)};
  make.requests.push_back(request);
  ASSERT_TRUE(Commit(*store_, std::move(make), Durability::kSync).ok());
  SnapshotDrop drop{.versions = {root}, .request = RequestRecord{.id = "b", .digest = "d", .time = kTime}};
  const auto freed = testing::Wait<int64_t>(
      [&](auto done) { store_->DropSnapshots(std::move(drop), Durability::kSync, std::move(done)); });
  EXPECT_EQ(freed.value(), 8);
  Restart();
  const auto read = ReadRequest(*store_, "a", kTime);
  ASSERT_TRUE(read.ok() && *read != nullptr);
  EXPECT_EQ((*read)->digest, request.digest);
  EXPECT_EQ((*read)->time, kTime);
  EXPECT_EQ((*read)->base, Version(3));
  EXPECT_EQ((*read)->revision, 4);
  EXPECT_EQ((*read)->versions, request.versions);
  EXPECT_EQ((*read)->branch->head, root);
  EXPECT_EQ((*ReadRequest(*store_, "b", kTime))->freed_bytes, 8);
  CommitBatch again;
  again.requests.push_back(request);
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(again))).reason, "REQUEST_ID_REUSED");
}

TEST_F(RocksDbRestart, ForgottenRequestsLeaveTheDatabase) {
  for (const absl::Duration age : {absl::ZeroDuration(), absl::Hours(1)}) {
    CommitBatch batch;
    batch.requests.push_back({.id = "same", .digest = "d", .time = kTime + age});
    ASSERT_TRUE(Commit(*store_, std::move(batch)).ok());
  }
  store_.reset();
  const auto database = RocksDbDatabase::Open(directory_.path(), rocksdb::Env::Default());
  ASSERT_TRUE(database.ok()) << database.status();
  const auto requests = (*database)->ReadRequests();
  ASSERT_EQ(requests->size(), 1u);
  EXPECT_EQ(requests->front().time, kTime + absl::Hours(1));
}

TEST_F(RocksDbRestart, VersionsAreNotHandedOutAgainAfterARestart) {
  Version last = Reserve(*store_).value();
  for (int i = 0; i < 3; ++i) {
    Restart();
    const Version next = Reserve(*store_).value();
    EXPECT_EQ(next.value(), last.value() + 1) << "what was not handed out was given back";
    last = next;
  }
}

TEST_F(RocksDbRestart, BlockLargerThanWhatIsReservedAheadIsHandedOut) {
  constexpr int64_t kCount = int64_t{1} << 30;
  const auto reserve = [&] {
    return testing::Wait<VersionBlock>([&](auto done) { store_->ReserveVersions(kCount, std::move(done)); });
  };
  const auto first = reserve(), second = reserve();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->end.value() - first->begin.value(), kCount);
  EXPECT_GE(second->begin, first->end);
}

// Of a process that ends here and now, the system still has what was written.
TEST_F(RocksDbRestart, CrashOfTheProcessReusesNoVersionAndLosesNoSyncedCommit) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 3));
  ASSERT_TRUE(Commit(*store_, std::move(make), Durability::kSync).ok());
  const Version last = Reserve(*store_).value();
  testing::TemporaryDirectory copy;
  std::filesystem::copy(directory_.path(), copy.path());
  const auto after = RocksDbStore::Open({.path = copy.path()});
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(*ReadArray(**after, root, 0), Array::Scalar<int32_t>(3));
  EXPECT_GT(Reserve(**after).value(), last);
}

// Snapshots of three arrays, of which the last may grow, made and dropped as it comes, in this store and in
// one in memory, which must always agree, also after restarts.
TEST_F(RocksDbRestart, AgreesWithAStoreInMemoryWhateverIsMadeAndDropped) {
  absl::BitGen random;
  MemoryStore memory;
  std::map<int64_t, std::shared_ptr<const StoredSnapshot>> live;
  std::set<int64_t> all;
  const auto both = [&](const CommitBatch& batch) {
    ASSERT_TRUE(Commit(memory, batch).ok());
    const absl::Status status = Commit(*store_, batch);
    ASSERT_TRUE(status.ok()) << status;
  };
  const auto any_live = [&] {
    return std::next(live.begin(), absl::Uniform<ptrdiff_t>(random, 0, std::ssize(live)))->first;
  };
  const auto compare = [&] {
    for (const int64_t number : all) {
      const Version version(number);
      const auto expected = ReadSnapshot(memory, version), actual = ReadSnapshot(*store_, version);
      ASSERT_EQ(actual.status(), expected.status()) << number;
      for (int position = 0; position < 3; ++position) {
        const auto array = ReadArray(*store_, version, position);
        const auto expected_array = ReadArray(memory, version, position);
        ASSERT_EQ(array.ok(), expected_array.ok()) << number << " " << position << array.status();
        if (!array.ok()) continue;
        ASSERT_EQ(*array, *expected_array) << number << " " << position;
      }
      if (!actual.ok()) continue;
      ASSERT_EQ((*actual)->writers, (*expected)->writers);
      ASSERT_EQ((*actual)->parent, (*expected)->parent);
      ASSERT_EQ((*actual)->pinned, (*expected)->pinned);
      ASSERT_EQ(testing::ScanAncestors(*store_, version, 1000).value(),
                testing::ScanAncestors(memory, version, 1000).value());
    }
    const Version end(*all.rbegin() + 1);
    ASSERT_EQ(testing::ScanSnapshots(*store_, end, 1000), testing::ScanSnapshots(memory, end, 1000));
  };
  const double fork = absl::Uniform(random, 0.0, 1.0);  // Chains, bushes, and what is between.
  for (int i = 0; i < 300 && !HasFatalFailure(); ++i) {
    if (absl::Bernoulli(random, 0.02)) Restart();
    if (live.empty() || absl::Bernoulli(random, 0.6)) {
      const Version version = Reserve(*store_).value();
      const bool is_root = live.empty() || absl::Bernoulli(random, 0.05);
      const auto parent = is_root                         ? nullptr
                          : absl::Bernoulli(random, fork) ? live[any_live()]
                                                          : live.rbegin()->second;
      auto snapshot = std::make_shared<StoredSnapshot>();
      SnapshotRecord& record = snapshot->record;
      record.version = version;
      record.origin = std::make_shared<const SnapshotOrigin>();
      record.writers.assign(3, version);
      if (!is_root) {
        record.parent = parent->record.version;
        record.writers = parent->record.writers;
        record.chains = parent->record.chains;
      }
      for (int position = 0; position < 3; ++position) {
        if (!is_root && absl::Bernoulli(random, 0.6)) continue;
        Version& writer = record.writers[static_cast<size_t>(position)];
        if (!is_root && position == 2 && absl::Bernoulli(random, 0.8)) {
          record.chains.Append(position, writer);
        } else {
          record.chains.Erase(position);
        }
        writer = version;
        const std::vector<int64_t> rows(static_cast<size_t>(absl::Uniform(random, 1, 4)), version.value());
        snapshot->written.push_back(Array::From<int64_t>({std::ssize(rows)}, rows).value());
      }
      CommitBatch batch;
      batch.snapshots.push_back(snapshot);
      both(batch);
      live[version.value()] = snapshot;
      all.insert(version.value());
    } else if (absl::Bernoulli(random, 0.2)) {
      const Version version(any_live());
      both({.snapshot_updates = {{.version = version, .labels = Labels{{"i", absl::StrCat(i)}}}}});
    } else {
      std::set<int64_t> dropped;
      for (int j = absl::Uniform(random, 1, 4); j > 0; --j) dropped.insert(any_live());
      std::vector<Version> versions;
      for (const int64_t number : dropped) {
        versions.emplace_back(number);
        live.erase(number);
      }
      ASSERT_EQ(Drop(*store_, versions).value(), Drop(memory, versions).value()) << "bytes freed";
    }
    if (i % 30 == 29) compare();
  }
  compare();
}

}  // namespace
}  // namespace stepwell
