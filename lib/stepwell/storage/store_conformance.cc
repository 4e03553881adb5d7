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
#include "stepwell/storage/testing/store_calls.h"
#include "stepwell/storage/testing/temporary_directory.h"

namespace stepwell {
namespace {

using testing::Commit;
using testing::Drop;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kTime;
using testing::MakeBranch;
using testing::MakeGrowing;
using testing::MakeSnapshot;
using testing::MoveOf;
using testing::NamesOf;
using ::testing::Pair;
using testing::ReadArray;
using testing::ReadArrayPart;
using testing::ReadBranch;
using testing::ReadModelRevisions;
using testing::ReadRequest;
using testing::ReadSnapshot;
using testing::RecordModelRevision;
using testing::Reserve;
using testing::ScanAncestors;
using testing::ScanBranches;
using testing::ScanSnapshots;
using testing::Wait;

// Has `movers` threads move `branch`, each `moves` times to a new child of its head: who finds that the head
// has moved tries again.
void MoveConcurrently(Store& store, absl::string_view branch, int movers, int moves) {
  std::vector<std::thread> threads;
  for (int i = 0; i < movers; ++i) {
    threads.emplace_back([&store, branch, moves] {
      for (int moved = 0; moved < moves;) {
        const Version head = ReadBranch(store, branch)->head;
        const Version next = Reserve(store).value();
        CommitBatch move;
        move.snapshots.push_back(MakeSnapshot(next, head, {0}, 0));
        move.branch_updates.push_back(MoveOf(branch, head, next));
        const absl::Status status = Commit(store, std::move(move));
        if (status.ok()) {
          ++moved;
        } else {
          ASSERT_EQ(status.code(), absl::StatusCode::kAborted) << status;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
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
  EXPECT_EQ((*record)->origin->model, "counter");
  EXPECT_EQ((*record)->origin->revision, 1);
  EXPECT_EQ((*record)->origin->method, "step");
  EXPECT_EQ((*record)->create_time, kTime);
  EXPECT_EQ((*record)->step_count, 3);
  EXPECT_THAT(*(*record)->labels, ElementsAre(Pair("kind", "test")));
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

TEST_P(StoreConformance, ArrayThatGrewIsReadWhole) {
  const Version root = Reserve(*store_).value();
  const auto made = MakeGrowing(root, nullptr, {1, 2});
  const auto one = MakeGrowing(Reserve(*store_).value(), &made->record, {3});
  const auto two = MakeGrowing(Reserve(*store_).value(), &one->record, {4, 5});
  const auto fork = MakeGrowing(Reserve(*store_).value(), &one->record, {6});
  // In two commits, as the chain crosses them.
  CommitBatch first;
  first.snapshots = {made, one};
  ASSERT_TRUE(Commit(*store_, std::move(first)).ok());
  CommitBatch second;
  second.snapshots = {two, fork};
  ASSERT_TRUE(Commit(*store_, std::move(second)).ok());

  const auto elements = [this](const std::shared_ptr<const StoredSnapshot>& snapshot) {
    const absl::StatusOr<Array> array = ReadArray(*store_, snapshot->record.version, 1);
    if (!array.ok()) return std::vector<int32_t>{-1};
    const absl::Span<const int32_t> all = array->As<int32_t>().value();
    return std::vector<int32_t>(all.begin(), all.end());
  };
  EXPECT_THAT(elements(made), ElementsAre(1, 2));
  EXPECT_THAT(elements(one), ElementsAre(1, 2, 3));
  EXPECT_THAT(elements(two), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(elements(fork), ElementsAre(1, 2, 3, 6));
  const auto rows = ReadArrayPart(*store_, two->record.version, 1);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->array.As<int32_t>().value(), ElementsAre(4, 5));
  EXPECT_EQ(rows->previous, one->record.version);
  const auto begin = ReadArrayPart(*store_, root, 1);
  ASSERT_TRUE(begin.ok()) << begin.status();
  EXPECT_THAT(begin->array.As<int32_t>().value(), ElementsAre(1, 2));
  EXPECT_EQ(begin->previous, std::nullopt);
  EXPECT_EQ(GetErrorInfo(ReadArrayPart(*store_, Version(int64_t{1} << 50), 1).status()).reason,
            "SNAPSHOT_UNKNOWN");

  const auto record = ReadSnapshot(*store_, two->record.version);
  ASSERT_TRUE(record.ok()) << record.status();
  const ArrayChain* const chain = (*record)->chains.Find(1);
  ASSERT_NE(chain, nullptr);
  EXPECT_EQ(chain->first, root);
  EXPECT_EQ(chain->previous, one->record.version);
  EXPECT_EQ((*record)->chains.Find(0), nullptr);
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
  move.branch_updates.push_back(MoveOf("live", root, next, kTime + absl::Seconds(1)));
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
  move.branch_updates.push_back(MoveOf("other", root, next));
  move.branch_updates.push_back(MoveOf("live", Version(next.value() + 1), next));
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
  move.branch_updates.push_back(MoveOf("nowhere", Version(1), Version(2)));
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(move))).reason, "BRANCH_NOT_FOUND");
}

TEST_P(StoreConformance, UpdatesOfABranchChangeWhatTheyNameAndNothingElse) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());

  CommitBatch label;
  label.branch_updates.push_back({.name = "live", .labels = Labels{{"a", "b"}}});
  ASSERT_TRUE(Commit(*store_, std::move(label)).ok());
  CommitBatch expire;
  expire.branch_updates.push_back({.name = "live", .expire_time = kTime + absl::Hours(1)});
  ASSERT_TRUE(Commit(*store_, std::move(expire)).ok());
  const auto branch = ReadBranch(*store_, "live");
  ASSERT_TRUE(branch.ok()) << branch.status();
  EXPECT_THAT(branch->labels, ElementsAre(Pair("a", "b")));
  EXPECT_EQ(branch->expire_time, kTime + absl::Hours(1));
  EXPECT_EQ(branch->head, root);
  EXPECT_EQ(branch->update_time, kTime) << "the head has not moved";
}

TEST_P(StoreConformance, RetentionOfABranchIsKeptWithItAndReplacedOrTakenAway) {
  const Version root = Reserve(*store_).value();
  const RetentionPolicy first{.keep_last = 3, .keep_every = 10, .max_age = absl::Hours(1)};
  const RetentionPolicy second{.max_age = absl::Milliseconds(1)};
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  make.new_branches.back().retention = first;
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  EXPECT_EQ(ReadBranch(*store_, "live")->retention, first);
  EXPECT_EQ(ScanBranches(*store_, "", "", 1)->at(0).retention, first);

  const auto update = [this](BranchUpdate changed) {
    changed.name = "live";
    CommitBatch batch;
    batch.branch_updates.push_back(std::move(changed));
    ASSERT_TRUE(Commit(*store_, std::move(batch)).ok());
  };
  update({.labels = Labels{{"a", "b"}}});
  EXPECT_EQ(ReadBranch(*store_, "live")->retention, first);
  update({.retention = std::optional(second)});
  EXPECT_EQ(ReadBranch(*store_, "live")->retention, second);
  update({.retention = std::optional(RetentionPolicy())});
  EXPECT_EQ(ReadBranch(*store_, "live")->retention, RetentionPolicy()) << "to keep all is a policy, too";
  update({.retention = std::optional<RetentionPolicy>()});
  EXPECT_EQ(ReadBranch(*store_, "live")->retention, std::nullopt);
}

TEST_P(StoreConformance, DeletedBranchIsGoneAndItsNameFreeAndItsSnapshotStays) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());

  CommitBatch elsewhere;
  elsewhere.branch_deletions.push_back({.name = "live", .expected_head = Version(root.value() + 1)});
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(elsewhere))).reason, "HEAD_MOVED");
  EXPECT_TRUE(ReadBranch(*store_, "live").ok());

  CommitBatch drop;
  drop.branch_deletions.push_back({.name = "live", .expected_head = root});
  ASSERT_TRUE(Commit(*store_, std::move(drop)).ok());
  EXPECT_EQ(GetErrorInfo(ReadBranch(*store_, "live").status()).reason, "BRANCH_NOT_FOUND");
  EXPECT_TRUE(ReadSnapshot(*store_, root).ok());
  CommitBatch again;
  again.branch_deletions.push_back({.name = "live"});
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(again))).reason, "BRANCH_NOT_FOUND");
  CommitBatch anew;
  anew.new_branches.push_back(MakeBranch("live", root));
  EXPECT_TRUE(Commit(*store_, std::move(anew)).ok());
}

TEST_P(StoreConformance, DeletionOfAnExpiredBranchSparesOneThatIsNot) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  make.new_branches.back().expire_time = kTime;
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  CommitBatch early;
  early.branch_deletions.push_back({.name = "live", .expired_by = kTime - absl::Nanoseconds(1)});
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(early))).reason, "BRANCH_NOT_FOUND");
  EXPECT_TRUE(ReadBranch(*store_, "live").ok());
  CommitBatch late;
  late.branch_deletions.push_back({.name = "live", .expired_by = kTime});
  EXPECT_TRUE(Commit(*store_, std::move(late)).ok());
  EXPECT_FALSE(ReadBranch(*store_, "live").ok());
}

TEST_P(StoreConformance, SecondChangeOfABranchInOneBatchIsRefused) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  CommitBatch twice;
  twice.branch_updates.push_back({.name = "live", .labels = Labels{{"a", "b"}}});
  twice.branch_deletions.push_back({.name = "live"});
  EXPECT_EQ(Commit(*store_, std::move(twice)).code(), absl::StatusCode::kInternal);
  EXPECT_THAT(ReadBranch(*store_, "live")->labels, ElementsAre());
}

TEST_P(StoreConformance, NewBranchTakesTheNameOfAnExpiredOne) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  make.new_branches.back().expire_time = kTime + absl::Hours(1);
  make.new_branches.back().labels = {{"a", "b"}};
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());

  BranchRecord next = MakeBranch("live", root);
  next.create_time = kTime + absl::Hours(1) - absl::Nanoseconds(1);
  CommitBatch early;
  early.new_branches.push_back(next);
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(early))).reason, "BRANCH_EXISTS");
  next.create_time = kTime + absl::Hours(1);
  CommitBatch late;
  late.new_branches.push_back(next);
  ASSERT_TRUE(Commit(*store_, std::move(late)).ok());
  EXPECT_EQ(ReadBranch(*store_, "live")->expire_time, absl::InfiniteFuture());
  EXPECT_THAT(ReadBranch(*store_, "live")->labels, ElementsAre());
}

// What a listener was told, as "BRANCH: PREVIOUS > HEAD @ SECONDS", with - for what is absent.
class RecordedMoves final : public BranchListener {
 public:
  void OnMove(BranchMove move) override {
    const auto text = [](std::optional<Version> version) {
      return version.has_value() ? absl::StrCat(version->value()) : "-";
    };
    moves.push_back(absl::StrCat(move.branch, ": ", text(move.previous), " > ", text(move.head), " @ ",
                                 absl::ToInt64Seconds(move.time - kTime)));
  }

  std::vector<std::string> moves;
};

TEST_P(StoreConformance, ListenerIsToldOfEveryMoveThatIsCommittedAndOfNothingElse) {
  RecordedMoves told;
  store_->SetBranchListener(&told);
  const Version root = Reserve(*store_).value();
  const Version next = Reserve(*store_).value();
  const auto a = absl::StrCat(root.value());
  const auto b = absl::StrCat(next.value());
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  make.new_branches.push_back(MakeBranch("brief", root));
  make.new_branches.back().expire_time = kTime + absl::Seconds(3);
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  CommitBatch move;
  move.snapshots.push_back(MakeSnapshot(next, root, {0}, 1));
  move.branch_updates.push_back(MoveOf("live", root, next, kTime + absl::Seconds(1)));
  ASSERT_TRUE(Commit(*store_, std::move(move)).ok());
  CommitBatch late;
  late.branch_updates.push_back(MoveOf("live", root, next));
  ASSERT_FALSE(Commit(*store_, std::move(late)).ok());
  CommitBatch label;
  label.branch_updates.push_back({.name = "live", .labels = Labels{{"a", "b"}}});
  ASSERT_TRUE(Commit(*store_, std::move(label)).ok());
  CommitBatch back;
  back.branch_updates.push_back(MoveOf("live", next, root, kTime + absl::Seconds(2)));
  ASSERT_TRUE(Commit(*store_, std::move(back)).ok());
  CommitBatch again;
  again.new_branches.push_back(MakeBranch("brief", next));
  again.new_branches.back().create_time = kTime + absl::Seconds(3);
  ASSERT_TRUE(Commit(*store_, std::move(again)).ok());
  CommitBatch drop;
  drop.branch_deletions.push_back({.name = "live", .time = kTime + absl::Seconds(4)});
  ASSERT_TRUE(Commit(*store_, std::move(drop)).ok());
  EXPECT_THAT(told.moves,
              ElementsAre(absl::StrCat("live: - > ", a, " @ 0"), absl::StrCat("brief: - > ", a, " @ 0"),
                          absl::StrCat("live: ", a, " > ", b, " @ 1"),
                          absl::StrCat("live: ", b, " > ", a, " @ 2"), absl::StrCat("brief: ", a, " > - @ 3"),
                          absl::StrCat("brief: - > ", b, " @ 3"), absl::StrCat("live: ", a, " > - @ 4")));
  store_->SetBranchListener(nullptr);
  CommitBatch unheard;
  unheard.new_branches.push_back(MakeBranch("live", root));
  ASSERT_TRUE(Commit(*store_, std::move(unheard)).ok());
  EXPECT_EQ(told.moves.size(), 7u);
}

TEST_P(StoreConformance, ListenerHearsTheMovesOfConcurrentMoversInTheOrderOfTheirCommits) {
  RecordedMoves told;
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  store_->SetBranchListener(&told);
  constexpr int kMovers = 4, kMoves = 50;
  MoveConcurrently(*store_, "live", kMovers, kMoves);
  store_->SetBranchListener(nullptr);
  // Each starts where the one before ended: the lineage of the head, from its root.
  std::vector<Version> lineage = ScanAncestors(*store_, ReadBranch(*store_, "live")->head, 1000).value();
  std::reverse(lineage.begin(), lineage.end());
  std::vector<std::string> expected;
  for (size_t i = 1; i < lineage.size(); ++i) {
    expected.push_back(absl::StrCat("live: ", lineage[i - 1].value(), " > ", lineage[i].value(), " @ 0"));
  }
  EXPECT_EQ(told.moves.size(), size_t{kMovers * kMoves});
  EXPECT_EQ(told.moves, expected);
}

TEST_P(StoreConformance, SnapshotUpdatesChangeWhatTheyNameAndNeverTheState) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 3));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  const auto before = ReadSnapshot(*store_, root);
  const auto array = ReadArray(*store_, root, 1);
  ASSERT_TRUE(before.ok() && array.ok());

  CommitBatch pin;
  pin.snapshot_updates.push_back({.version = root, .pinned = true});
  ASSERT_TRUE(Commit(*store_, std::move(pin)).ok());
  CommitBatch label;
  label.snapshot_updates.push_back({.version = root, .labels = Labels{{"a", "b"}}});
  ASSERT_TRUE(Commit(*store_, std::move(label)).ok());
  const auto after = ReadSnapshot(*store_, root);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_TRUE((*after)->pinned);
  EXPECT_THAT(*(*after)->labels, ElementsAre(Pair("a", "b")));
  EXPECT_FALSE((*before)->pinned) << "who has read it keeps what was read";
  EXPECT_EQ(ReadArray(*store_, root, 1).value(), *array);
}

TEST_P(StoreConformance, UpdateOfAnUnknownSnapshotChangesNothing) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  CommitBatch both;
  both.snapshot_updates.push_back({.version = root, .pinned = true});
  both.snapshot_updates.push_back({.version = Version(root.value() + 1), .pinned = true});
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(both))).reason, "SNAPSHOT_UNKNOWN");
  EXPECT_FALSE((*ReadSnapshot(*store_, root))->pinned);
}

TEST_P(StoreConformance, RequestIsRememberedWithTheCommitThatItCameWith) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.requests.push_back({.id = "a", .digest = "d", .time = kTime, .versions = {root}});
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  const auto request = ReadRequest(*store_, "a", kTime);
  ASSERT_TRUE(request.ok() && *request != nullptr) << request.status();
  EXPECT_EQ((*request)->digest, "d");
  EXPECT_THAT((*request)->versions, ElementsAre(root));
  EXPECT_EQ(*ReadRequest(*store_, "b", kTime), nullptr);

  CommitBatch again;
  const Version other = Reserve(*store_).value();
  again.snapshots.push_back(MakeSnapshot(other, std::nullopt, {0, 1}, 0));
  again.requests.push_back({.id = "a", .digest = "d", .time = kTime});
  const absl::Status reused = Commit(*store_, std::move(again));
  EXPECT_EQ(reused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(GetErrorInfo(reused).reason, "REQUEST_ID_REUSED");
  EXPECT_FALSE(ReadSnapshot(*store_, other).ok()) << "nothing of the batch is there";
}

TEST_P(StoreConformance, RequestIsForgottenInTimeAndItsIdFree) {
  const auto remember = [this](const std::string& id, absl::Time time) {
    CommitBatch batch;
    batch.requests.push_back({.id = id, .digest = "d", .time = time});
    return Commit(*store_, std::move(batch));
  };
  ASSERT_TRUE(remember("a", kTime).ok());
  const absl::Time late = kTime + absl::Hours(10000);
  EXPECT_EQ(*ReadRequest(*store_, "a", late), nullptr);
  EXPECT_TRUE(remember("a", late).ok());
  EXPECT_NE(*ReadRequest(*store_, "a", late), nullptr);
}

TEST_P(StoreConformance, ScansAncestorsToTheRoot) {
  std::vector<Version> versions;
  for (int i = 0; i < 4; ++i) {
    const auto parent = versions.empty() ? std::nullopt : std::make_optional(versions.back());
    versions.push_back(Reserve(*store_).value());
    CommitBatch batch;
    batch.snapshots.push_back(MakeSnapshot(versions.back(), parent, {0, 1}, i));
    // A sibling, which is nobody's ancestor.
    batch.snapshots.push_back(MakeSnapshot(Reserve(*store_).value(), parent, {0, 1}, i));
    ASSERT_TRUE(Commit(*store_, std::move(batch)).ok());
  }
  EXPECT_THAT(ScanAncestors(*store_, versions[3], 2).value(), ElementsAre(versions[3], versions[2]));
  EXPECT_THAT(ScanAncestors(*store_, versions[2], 9).value(),
              ElementsAre(versions[2], versions[1], versions[0]));
  EXPECT_EQ(GetErrorInfo(ScanAncestors(*store_, Version(1 << 30), 9).status()).reason, "SNAPSHOT_UNKNOWN");
}

TEST_P(StoreConformance, ScansBranchesByPrefixInPages) {
  const Version root = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  for (const char* name : {"b", "a/2", "a", "c", "a/10", "a/1", "ab"}) {
    make.new_branches.push_back(MakeBranch(name, root));
  }
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  EXPECT_THAT(NamesOf(ScanBranches(*store_, "", "", 100)),
              ElementsAre("a", "a/1", "a/10", "a/2", "ab", "b", "c"));
  EXPECT_THAT(NamesOf(ScanBranches(*store_, "a/", "", 2)), ElementsAre("a/1", "a/10"));
  EXPECT_THAT(NamesOf(ScanBranches(*store_, "a/", "a/10", 2)), ElementsAre("a/2"));
  EXPECT_THAT(NamesOf(ScanBranches(*store_, "a/", "a/2", 2)), ElementsAre());
  EXPECT_THAT(NamesOf(ScanBranches(*store_, "", "a/3", 2)), ElementsAre("ab", "b"))
      << "the name to go on after need not exist any more";
  EXPECT_THAT(NamesOf(ScanBranches(*store_, "d", "", 2)), ElementsAre());
}

TEST_P(StoreConformance, ScansSnapshotsNewestFirstInPages) {
  std::vector<Version> versions;
  for (int i = 0; i < 5; ++i) {
    versions.push_back(Reserve(*store_).value());
    CommitBatch batch;
    batch.snapshots.push_back(MakeSnapshot(versions.back(), std::nullopt, {0, 1}, i));
    ASSERT_TRUE(Commit(*store_, std::move(batch)).ok());
  }
  const Version end(versions[4].value() + 1);
  EXPECT_THAT(ScanSnapshots(*store_, end, 2), ElementsAre(versions[4], versions[3]));
  EXPECT_THAT(ScanSnapshots(*store_, versions[3], 9), ElementsAre(versions[2], versions[1], versions[0]));
  EXPECT_THAT(ScanSnapshots(*store_, versions[0], 9), ElementsAre());
}

TEST_P(StoreConformance, DroppedSnapshotIsEvictedAndSharedArraysStay) {
  const Version root = Reserve(*store_).value(), child = Reserve(*store_).value(),
                leaf = Reserve(*store_).value();
  CommitBatch batch;
  batch.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 10));
  batch.snapshots.push_back(MakeSnapshot(child, root, {1}, 20));
  batch.snapshots.push_back(MakeSnapshot(leaf, child, {0, 1}, 30));
  ASSERT_TRUE(Commit(*store_, std::move(batch)).ok());

  EXPECT_EQ(Drop(*store_, {root}).value(), 4) << "array 1; the child has array 0";
  EXPECT_EQ(GetErrorInfo(ReadSnapshot(*store_, root).status()).reason, "SNAPSHOT_EVICTED");
  EXPECT_EQ(*ReadArray(*store_, root, 0), Array::Scalar<int32_t>(10));
  EXPECT_EQ(GetErrorInfo(ReadArray(*store_, root, 1).status()).reason, "SNAPSHOT_EVICTED");
  EXPECT_THAT(ScanAncestors(*store_, leaf, 9).value(), ElementsAre(leaf, child));
  EXPECT_EQ(GetErrorInfo(ScanAncestors(*store_, root, 9).status()).reason, "SNAPSHOT_EVICTED");
  EXPECT_THAT(ScanSnapshots(*store_, Version(leaf.value() + 1), 9), ElementsAre(leaf, child));

  EXPECT_EQ(Drop(*store_, {child}).value(), 8);
  EXPECT_FALSE(ReadArray(*store_, root, 0).ok());
  EXPECT_TRUE(ReadArray(*store_, leaf, 0).ok());
}

TEST_P(StoreConformance, NothingIsCommittedOnWhatWasDropped) {
  const Version root = Reserve(*store_).value(), other = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.snapshots.push_back(MakeSnapshot(other, std::nullopt, {0, 1}, 0));
  make.new_branches.push_back(MakeBranch("live", other));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  ASSERT_TRUE(Drop(*store_, {root}).ok());

  CommitBatch step;
  step.snapshots.push_back(MakeSnapshot(Reserve(*store_).value(), root, {0}, 1));
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(step))).reason, "SNAPSHOT_EVICTED");
  CommitBatch name;
  name.new_branches.push_back(MakeBranch("late", root));
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(name))).reason, "SNAPSHOT_EVICTED");
  CommitBatch move;
  move.branch_updates.push_back(MoveOf("live", other, root));
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(move))).reason, "SNAPSHOT_EVICTED");
  EXPECT_EQ(ReadBranch(*store_, "live")->head, other);
  CommitBatch unknown;
  unknown.snapshots.push_back(MakeSnapshot(Reserve(*store_).value(), Version(1 << 30), {0}, 1));
  EXPECT_EQ(GetErrorInfo(Commit(*store_, std::move(unknown))).reason, "SNAPSHOT_UNKNOWN");
}

TEST_P(StoreConformance, DropsAllOrNothingAndNeitherHeadsNorWhatIsPinned) {
  const Version root = Reserve(*store_).value(), head = Reserve(*store_).value(),
                pinned = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(root, std::nullopt, {0, 1}, 0));
  make.snapshots.push_back(MakeSnapshot(head, root, {0}, 0));
  make.snapshots.push_back(MakeSnapshot(pinned, root, {0}, 0));
  make.new_branches.push_back(MakeBranch("live", root));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  ASSERT_TRUE(Commit(*store_, CommitBatch{.snapshot_updates = {{.version = pinned, .pinned = true}}}).ok());
  EXPECT_EQ(GetErrorInfo(Drop(*store_, {head, root}).status()).reason, "SNAPSHOT_IS_HEAD");

  CommitBatch move;
  move.branch_updates.push_back(MoveOf("live", root, head));
  ASSERT_TRUE(Commit(*store_, std::move(move)).ok());
  const absl::Status refused = Drop(*store_, {root, head}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(GetErrorInfo(refused).metadata, ::testing::Contains(Pair("branch", "live")));
  EXPECT_EQ(GetErrorInfo(Drop(*store_, {root, pinned}).status()).reason, "SNAPSHOT_PINNED");
  EXPECT_EQ(GetErrorInfo(Drop(*store_, {root, Version(1 << 30)}).status()).reason, "SNAPSHOT_UNKNOWN");
  EXPECT_TRUE(ReadSnapshot(*store_, root).ok());
  EXPECT_TRUE(Drop(*store_, {root}).ok());
  EXPECT_EQ(GetErrorInfo(Drop(*store_, {root}).status()).reason, "SNAPSHOT_EVICTED");
}

TEST_P(StoreConformance, DropThatSparesWhatIsLabelledIsRefusedForIt) {
  const Version labelled = Reserve(*store_).value(), bare = Reserve(*store_).value();
  CommitBatch make;
  make.snapshots.push_back(MakeSnapshot(labelled, std::nullopt, {0, 1}, 0));
  make.snapshots.push_back(MakeSnapshot(bare, std::nullopt, {0, 1}, 0));
  ASSERT_TRUE(Commit(*store_, std::move(make)).ok());
  CommitBatch label;
  label.snapshot_updates.push_back({.version = bare, .labels = Labels{{"stepwell.own", "x"}}});
  ASSERT_TRUE(Commit(*store_, std::move(label)).ok());

  const auto drop = [this](std::vector<Version> versions) {
    return Wait<int64_t>([&](auto done) {
      store_->DropSnapshots({.versions = versions, .spares_labelled = true}, Durability::kAsync,
                            std::move(done));
    });
  };
  const absl::Status refused = drop({bare, labelled}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetErrorInfo(refused).reason, "SNAPSHOT_LABELLED");
  EXPECT_THAT(GetErrorInfo(refused).metadata,
              ::testing::Contains(Pair("version", absl::StrCat(labelled.value()))));
  EXPECT_TRUE(ReadSnapshot(*store_, bare).ok());
  EXPECT_TRUE(drop({bare}).ok());
  EXPECT_TRUE(Drop(*store_, {labelled}).ok()) << "who does not ask to spare it drops it";
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

TEST_P(StoreConformance, ModelRevisionsAreReadAsTheyWereRecordedInOrder) {
  EXPECT_THAT(ReadModelRevisions(*store_).value(), IsEmpty());
  const ModelRevisionRecord one{
      "m", 1, "sha256:1", {{"count", DType::kInt32, {}}, {"log", DType::kFloat64, {-1, 3}}}};
  const ModelRevisionRecord second{"m", 2, "sha256:2", {}};
  const ModelRevisionRecord late{"m", 300, "sha256:300", {}};
  const ModelRevisionRecord longer{"m-x", 1, "sha256:3", {}};
  for (const ModelRevisionRecord& record : {longer, late, second, one, one}) {
    ASSERT_TRUE(RecordModelRevision(*store_, record).ok());
  }
  EXPECT_THAT(ReadModelRevisions(*store_).value(), ElementsAre(one, second, late, longer));
  // Its numbers and theirs are not in each other's way.
  EXPECT_TRUE(Reserve(*store_).ok());
}

TEST_P(StoreConformance, IsCopiedOrSaysThatItHasNoDisk) {
  const testing::TemporaryDirectory folder;
  const auto bytes = Wait<int64_t>(
      [&](auto done) { store_->Checkpoint(absl::StrCat(folder.path(), "/copy"), std::move(done)); });
  EXPECT_EQ(bytes.ok(), GetParam().has_disk) << bytes.status();
  if (bytes.ok()) return;
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetErrorInfo(bytes.status()).reason, "BACKUP_UNAVAILABLE");
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

  MoveConcurrently(*store_, "live", kThreads, kMoves);

  int length = 0;
  for (std::optional<Version> at = ReadBranch(*store_, "live")->head; *at != root;
       at = (*ReadSnapshot(*store_, *at))->parent) {
    ++length;
  }
  EXPECT_EQ(length, kThreads * kMoves);
}

}  // namespace
}  // namespace stepwell
