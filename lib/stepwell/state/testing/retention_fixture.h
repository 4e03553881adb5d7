#ifndef STEPWELL_STATE_TESTING_RETENTION_FIXTURE_H_
#define STEPWELL_STATE_TESTING_RETENTION_FIXTURE_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "gtest/gtest.h"
#include "stepwell/state/retention.h"
#include "stepwell/storage/testing/forwarding_store.h"

namespace stepwell::testing {

class HeldClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'000'000);
};

// Does what a test asks for right before snapshots are dropped, as if another call came in between.
class InterruptedStore final : public ForwardingStore {
 public:
  void DropSnapshots(SnapshotDrop drop, Durability durability, Callback<int64_t> done) override {
    if (before_drop) std::exchange(before_drop, nullptr)();
    asked.push_back(drop.versions.size());
    ForwardingStore::DropSnapshots(std::move(drop), durability, std::move(done));
  }
  void ScanSnapshots(Version before, size_t limit,
                     Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) override {
    if (before_scan) std::exchange(before_scan, nullptr)();
    if (!scans.ok()) return std::move(done)(scans);
    ForwardingStore::ScanSnapshots(before, limit, std::move(done));
  }

  std::function<void()> before_drop, before_scan;
  absl::Status scans;
  std::vector<size_t> asked;  // Versions of each drop.
};

// A store with histories, a clock that a test moves, and sweeps over it.
class RetentionTest : public ::testing::Test {
 protected:
  // One that has a parent is one step from it.
  Version Make(std::optional<Version> parent, const std::string& model = "counter") {
    auto stored = std::make_shared<StoredSnapshot>();
    SnapshotRecord& record = stored->record;
    record.version = Version(++last_version_);
    record.parent = parent;
    record.origin = std::make_shared<const SnapshotOrigin>(SnapshotOrigin{model, 1, "step"});
    record.create_time = clock_.now;
    record.step_count = parent.has_value() ? step_counts_.at(parent->value()) + 1 : 0;
    record.writers = {record.version};
    step_counts_[record.version.value()] = record.step_count;
    stored->written = {Array::Scalar<int64_t>(1)};
    CommitBatch batch;
    batch.snapshots.push_back(stored);
    Commit(std::move(batch));
    return record.version;
  }
  // Steps from `parent`, oldest first.
  std::vector<Version> MakeChain(std::optional<Version> parent, int count) {
    std::vector<Version> chain;
    for (int i = 0; i < count; ++i) chain.push_back(Make(i == 0 ? parent : chain.back()));
    return chain;
  }
  void MakeBranch(const std::string& name, Version head, std::optional<RetentionPolicy> policy = std::nullopt,
                  absl::Time expire_time = absl::InfiniteFuture()) {
    CommitBatch batch;
    batch.new_branches.push_back({.name = name,
                                  .model = "counter",
                                  .head = head,
                                  .create_time = clock_.now,
                                  .expire_time = expire_time,
                                  .retention = std::move(policy)});
    Commit(std::move(batch));
  }
  void Update(SnapshotUpdate update) {
    CommitBatch batch;
    batch.snapshot_updates.push_back(std::move(update));
    Commit(std::move(batch));
  }
  void Commit(CommitBatch batch) {
    store_.Commit(
        std::move(batch), Durability::kAsync,
        [](const absl::Status& visible) { ASSERT_TRUE(visible.ok()) << visible; }, [](absl::Status) {});
  }
  void Delete(Version version) {
    store_.DropSnapshots({.versions = {version}}, Durability::kAsync,
                         [](const absl::StatusOr<int64_t>& dropped) { ASSERT_TRUE(dropped.ok()); });
  }

  Retention NewRetention(const RetentionOptions& options = {.min_age = absl::ZeroDuration(),
                                                            .batch_size = 3}) {
    return Retention(options, &store_, &cache_, &clock_, [this] { return policies_; });
  }
  // A whole sweep.
  static void RunSweep(Retention& retention) {
    while (true) {
      const absl::StatusOr<absl::Duration> pause = retention.Work();
      ASSERT_TRUE(pause.ok()) << pause.status();
      if (*pause == RetentionOptions().pause) return;
    }
  }
  void RunSweep() {
    Retention retention = NewRetention();
    RunSweep(retention);
  }
  // Oldest first.
  std::vector<Version> Left() {
    std::vector<Version> versions;
    store_.ScanSnapshots(Version(last_version_ + 1), 100'000, [&versions](const auto& records) {
      for (const auto& record : *records) versions.push_back(record->version);
    });
    std::ranges::reverse(versions);
    return versions;
  }
  std::vector<std::string> Branches() {
    std::vector<std::string> names;
    store_.ScanBranches("", "", 1000, [&names](const auto& branches) {
      for (const BranchRecord& branch : *branches) names.push_back(branch.name);
    });
    return names;
  }

  HeldClock clock_;
  InterruptedStore store_;
  SnapshotCache cache_{&store_, 1000};
  Retention::Policies policies_ = {{"counter", {}}};
  int64_t last_version_ = 0;
  absl::flat_hash_map<int64_t, int64_t> step_counts_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_STATE_TESTING_RETENTION_FIXTURE_H_
