#include "tests/crash/checker.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/v1/error.pb.h"

namespace stepwell::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

Array Int(int32_t value) { return Array::Scalar(value); }
std::string Bytes(int32_t value) { return BytesOf({{"", Int(value)}}); }

// What a store would have, as a test puts it there.
class FakeState final : public StoredState {
 public:
  struct Snapshot {
    FoundSnapshot found;
    std::string state;
  };

  absl::StatusOr<std::vector<FoundSnapshot>> SnapshotsAfter(int64_t version) override {
    std::vector<FoundSnapshot> found;
    for (const auto& [key, snapshot] : snapshots) {
      if (key > version) found.push_back(snapshot.found);
    }
    return found;
  }
  absl::StatusOr<std::map<std::string, int64_t>> Branches() override { return branches; }
  std::vector<absl::StatusOr<FoundSnapshot>> Snapshots(const std::vector<int64_t>& versions) override {
    return Each<FoundSnapshot>(versions, &Snapshot::found);
  }
  std::vector<absl::StatusOr<std::string>> States(const std::vector<int64_t>& versions) override {
    return Each<std::string>(versions, &Snapshot::state);
  }
  absl::StatusOr<std::string> StateAfterStep(int64_t version, const Array& x) override {
    return snapshots.at(version).state + BytesOf({{"x", x}});  // Of a model whose state is all its inputs.
  }

  std::map<int64_t, Snapshot> snapshots;
  std::map<std::string, int64_t> branches;
  std::set<int64_t> dropped;

 private:
  template <typename T>
  std::vector<absl::StatusOr<T>> Each(const std::vector<int64_t>& versions, T Snapshot::*member) const {
    std::vector<absl::StatusOr<T>> each;
    for (const int64_t version : versions) {
      const auto snapshot = snapshots.find(version);
      if (snapshot == snapshots.end()) {
        each.push_back(NotFound(version));
      } else {
        each.push_back(snapshot->second.*member);
      }
    }
    return each;
  }
  absl::Status NotFound(int64_t version) const {
    v1::ErrorInfo info;
    info.set_reason(dropped.contains(version) ? "SNAPSHOT_EVICTED" : "SNAPSHOT_UNKNOWN");
    absl::Status status = absl::NotFoundError(absl::StrCat("no version ", version));
    status.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord(info.SerializeAsString()));
    return status;
  }
};

// A store with a counter that stood at 5 before the run: version 1, the head of "live".
class CheckerTest : public ::testing::Test {
 protected:
  CheckerTest() {
    before_.snapshots[1] = {"counter", std::nullopt, Bytes(5), {{kPartLabel, "1.0"}}, false, 0};
    before_.branches["live"] = 1;
    before_.last_version = 1;
    Store(1, std::nullopt, 5, "1.0");
    stored_.branches = before_.branches;
  }

  // A step on "live" that adds 1, sent at `sent` and answered right after that, or not: version 0.
  Operation& Step(int64_t id, int64_t version, bool sync, int64_t sent) {
    Operation operation{.sync = sync, .id = id, .sent = sent, .answered = version == 0 ? 0 : sent + 1};
    operation.parts.push_back({.model = "counter", .branch = "live", .x = Int(1), .version = version});
    return operations_.emplace_back(std::move(operation));
  }
  // As Step; it makes a fork of version 1, which is the head of no branch.
  Operation& Fork(int64_t id, int64_t version, bool sync, int64_t sent) {
    Operation& operation = Step(id, version, sync, sent);
    operation.parts[0].branch.clear();
    operation.parts[0].base = 1;
    return operation;
  }
  void Store(int64_t version, std::optional<int64_t> parent, int32_t count, const std::string& part) {
    stored_.snapshots[version] = {{version, "counter", parent, {{kPartLabel, part}}, false, true},
                                  Bytes(count)};
  }
  // As Store, and the head of "live".
  void StoreHead(int64_t version, int64_t parent, int32_t count, const std::string& part) {
    Store(version, parent, count, part);
    stored_.branches["live"] = version;
  }
  void Drop(int64_t id, std::vector<int64_t> versions, int64_t answered) {
    operations_.push_back({.kind = Operation::Kind::kDrop,
                           .sync = true,
                           .id = id,
                           .sent = 1,
                           .answered = answered,
                           .versions = std::move(versions)});
  }
  void Note(int64_t id, bool pinned, int64_t answered) {
    operations_.push_back({.kind = Operation::Kind::kNote,
                           .sync = true,
                           .id = id,
                           .sent = 2 * id,
                           .answered = answered,
                           .versions = {1},
                           .pinned = pinned});
  }
  void Branch(int64_t id, const std::string& name, std::optional<int64_t> head, bool sync) {
    operations_.push_back({.kind = Operation::Kind::kBranch,
                           .sync = sync,
                           .id = id,
                           .sent = 2 * id,
                           .answered = 2 * id + 1,
                           .branch = name,
                           .head = head});
  }

  absl::StatusOr<Checked> Run() { return Check(before_, operations_, options_, stored_, random_, counts_); }
  void ExpectViolation(const std::string& what) {
    const auto checked = Run();
    EXPECT_EQ(checked.status().code(), absl::StatusCode::kDataLoss) << checked.status();
    EXPECT_THAT(std::string(checked.status().message()), HasSubstr(what));
  }
  Checked Passed() {
    auto checked = Run();
    EXPECT_TRUE(checked.ok()) << checked.status();
    return checked.ok() ? *std::move(checked) : Checked();
  }

  Ledger before_;
  std::vector<Operation> operations_;
  CheckOptions options_{.cycle = 1};
  FakeState stored_;
  std::mt19937 random_;
  CheckCounts counts_;
};

TEST_F(CheckerTest, WhatIsThereIsOwedFromThenOn) {
  Step(7, 2, true, 1).request_id = "again";
  Step(8, 0, true, 3);
  StoreHead(2, 1, 6, "7.0");
  StoreHead(3, 2, 7, "8.0");
  const Checked checked = Passed();
  EXPECT_EQ(checked.ledger.snapshots.size(), 3u);
  EXPECT_EQ(checked.ledger.snapshots.at(3).state, Bytes(7));
  EXPECT_EQ(checked.ledger.snapshots.at(3).parent, 2);
  EXPECT_EQ(checked.ledger.branches.at("live"), 3);
  EXPECT_EQ(checked.ledger.last_version, 3);
  ASSERT_THAT(checked.repeatable, SizeIs(1));
  EXPECT_EQ(checked.repeatable[0].made, 2);
  EXPECT_EQ(counts_.sync_versions, 1);
  EXPECT_EQ(counts_.unanswered_versions, 1);
}

TEST_F(CheckerTest, SyncedVersionThatIsNotThereIsAViolation) {
  Step(7, 2, true, 1);
  ExpectViolation("what was answered as synced is not there: operation 7");
}

TEST_F(CheckerTest, AlteredBitIsAViolation) {
  Step(7, 2, true, 1).parts[0].state = Bytes(6);
  StoreHead(2, 1, 6, "7.0");
  Passed();
  stored_.snapshots[2].state[3] ^= 1;
  ExpectViolation("version 2 was altered");
}

TEST_F(CheckerTest, AnsweredSumThatIsNotItsParentsIsAViolation) {
  Step(7, 2, true, 1).parts[0].state = Bytes(9);
  StoreHead(2, 1, 9, "7.0");
  ExpectViolation("version 2 was answered with another sum");
}

TEST_F(CheckerTest, StateWithoutAnAnswerIsComputedAgain) {
  before_.snapshots[1].model = stored_.snapshots[1].found.model = "log";
  Fork(7, 0, true, 1).parts[0].model = "log";
  Store(2, 1, 0, "7.0");
  stored_.snapshots[2].found.model = "log";
  stored_.snapshots[2].state = Bytes(5) + Bytes(1);
  EXPECT_EQ(Passed().ledger.snapshots.at(2).state, Bytes(5) + Bytes(1));
  stored_.snapshots[2].state = Bytes(5) + Bytes(2);
  ExpectViolation("version 2 was altered");
}

TEST_F(CheckerTest, EndOfWhatWasAsyncMayBeLost) {
  Step(7, 2, true, 1);
  Step(8, 3, false, 3);
  Step(9, 4, false, 5);
  StoreHead(2, 1, 6, "7.0");
  const Checked checked = Passed();
  EXPECT_EQ(counts_.lost_versions, 2);
  EXPECT_EQ(counts_.suffixes, 1);
  EXPECT_EQ(checked.ledger.last_version, 4) << "nor are their numbers handed out again";
  EXPECT_EQ(checked.ledger.gone.at(3), "SNAPSHOT_UNKNOWN");
  options_.ended_by_itself = true;
  ExpectViolation("the server ended by itself");
}

TEST_F(CheckerTest, LossBeforeWhatIsThereIsAHole) {
  Step(7, 2, false, 1);
  Fork(8, 0, false, 3);
  Store(3, 1, 6, "8.0");
  ExpectViolation("a hole: operation 7");
  operations_[1].sent = 2;  // Before the other was answered: nobody knows which came first.
  operations_[0].answered = 3;
  Passed();
}

TEST_F(CheckerTest, LossWithinABranchIsAHoleAlsoWithoutAnswers) {
  Step(7, 0, true, 1);
  Step(8, 0, true, 2);
  StoreHead(3, 1, 6, "8.0");
  ExpectViolation("its change 2 made version 3, but change 1 is not there: a hole");
}

TEST_F(CheckerTest, StepFromAnotherVersionThanTheHeadIsAViolation) {
  Step(7, 2, true, 1);
  Step(8, 3, true, 3);
  StoreHead(2, 1, 6, "7.0");
  StoreHead(3, 1, 6, "8.0");
  ExpectViolation("expected it from the head, version 2");
}

TEST_F(CheckerTest, HalfOfABatchIsAViolation) {
  Fork(7, 0, true, 1);
  Fork(8, 0, true, 2);
  for (Operation& batch : operations_) batch.parts.push_back(batch.parts[0]);
  Store(2, 1, 6, "7.0");
  Store(3, 1, 6, "7.1");
  Passed();
  Store(4, 1, 6, "8.1");
  ExpectViolation("1 of 2 versions are not there, the others are: operation 8");
}

TEST_F(CheckerTest, VersionThatNobodyAskedForIsAViolation) {
  Store(2, 1, 6, "7.0");
  ExpectViolation("no operation of this run asked for it");
}

TEST_F(CheckerTest, OperationThatWasDoneTwiceIsAViolation) {
  Fork(7, 0, true, 1);
  Store(2, 1, 6, "7.0");
  Store(3, 1, 6, "7.0");
  ExpectViolation("more than was asked for: operation 7");
}

TEST_F(CheckerTest, VersionThatWasHandedOutTwiceIsAViolation) {
  Fork(7, 1, true, 1);
  ExpectViolation("version 1 was handed out twice");
  operations_.clear();
  Fork(7, 2, true, 1);
  Fork(8, 2, true, 3);
  ExpectViolation("version 2 was handed out twice");
}

TEST_F(CheckerTest, VersionThatIsNotDurableIsAViolation) {
  Fork(7, 2, true, 1);
  Store(2, 1, 6, "7.0");
  stored_.snapshots[2].found.durable = false;
  ExpectViolation("version 2 was found, and is not durable");
}

TEST_F(CheckerTest, BranchThatPointsElsewhereIsAViolation) {
  Step(7, 2, true, 1);
  StoreHead(2, 1, 6, "7.0");
  stored_.branches["live"] = 1;
  ExpectViolation("branch live points at version 1; expected one of: version 2");
  stored_.branches.clear();
  ExpectViolation("branch live points at no branch");
  stored_.branches = {{"live", 2}, {"other", 2}};
  ExpectViolation("branch other points at version 2; expected one of: no branch");
}

TEST_F(CheckerTest, ChangesOfABranchAreFollowed) {
  Branch(7, "trial", 1, true);
  Branch(8, "trial", std::nullopt, false);
  Passed();
  stored_.branches["trial"] = 1;
  Passed();
  operations_[1].sync = true;
  ExpectViolation("what was answered as synced is not there: operation 8");
}

TEST_F(CheckerTest, DropIsDoneAsAWhole) {
  before_.snapshots[2] = before_.snapshots[3] = before_.snapshots[1];
  before_.last_version = 3;
  for (const int64_t version : {2, 3}) Store(version, std::nullopt, 5, "1.0");
  Drop(7, {2, 3}, 0);
  Passed();
  stored_.snapshots.erase(2);
  stored_.dropped = {2};
  ExpectViolation("versions 3 are there, 2 are not");
  stored_.snapshots.erase(3);
  stored_.dropped = {2, 3};
  EXPECT_EQ(Passed().ledger.gone.at(3), "SNAPSHOT_EVICTED");
}

TEST_F(CheckerTest, SyncedDropThatIsNotThereIsAViolation) {
  before_.snapshots[2] = before_.snapshots[1];
  before_.last_version = 2;
  Store(2, std::nullopt, 5, "1.0");
  Drop(7, {2}, 2);
  ExpectViolation("what was answered as synced is not there: operation 7");
}

TEST_F(CheckerTest, NotesAreFollowed) {
  Note(7, true, 15);
  Note(8, false, 0);
  ExpectViolation("what was answered as synced is not there: operation 7");
  stored_.snapshots[1].found.labels[kNoteLabel] = "7";
  ExpectViolation("nobody wrote that");
  stored_.snapshots[1].found.pinned = true;
  EXPECT_TRUE(Passed().ledger.snapshots.at(1).pinned);
  stored_.snapshots[1].found.labels[kNoteLabel] = "8";
  stored_.snapshots[1].found.pinned = false;
  EXPECT_EQ(Passed().ledger.snapshots.at(1).labels.at(kNoteLabel), "8");
}

TEST_F(CheckerTest, OldVersionThatIsLostOrAlteredIsAViolation) {
  options_.cycle = 100;
  Passed();
  EXPECT_EQ(counts_.rereads, 1);
  stored_.snapshots[1].state = Bytes(6);
  ExpectViolation("version 1 of run 0 was altered");
  stored_.snapshots[1].state = Bytes(5);
  stored_.snapshots[1].found.labels["other"] = "label";
  ExpectViolation("labels {other=label");
  stored_.branches.clear();
  before_.branches.clear();
  stored_.snapshots.clear();
  ExpectViolation("version 1 of run 0 is lost");
}

TEST_F(CheckerTest, VersionThatWasDeletedAndCameBackIsAViolation) {
  before_.last_version = 2;
  before_.gone[2] = "SNAPSHOT_EVICTED";
  stored_.dropped = {2};
  Passed();
  Store(2, 1, 6, "1.0");
  ExpectViolation("version 2 was deleted or lost");
  before_.gone.clear();
  options_.everything = true;
  ExpectViolation("version 2 with labels {part=1.0} came back");
}

}  // namespace
}  // namespace stepwell::testing
