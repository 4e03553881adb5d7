#include "stepwell/state/retention.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "stepwell/base/error_info.h"
#include "stepwell/state/snapshot_drop.h"
#include "stepwell/storage/wait_for.h"

namespace stepwell {
namespace {

// After a part that drops nothing: others come in between.
constexpr absl::Duration kShortPause = absl::Milliseconds(1);

using Records = std::vector<std::shared_ptr<const SnapshotRecord>>;

// Which of `versions` kept the store from dropping them.
std::vector<Version>::iterator FindRefused(std::vector<Version>& versions, const absl::Status& status) {
  const ErrorInfo info = GetErrorInfo(status);
  int64_t number = 0;
  for (const auto& [key, value] : info.metadata) {
    if (key == "version" && !absl::SimpleAtoi(value, &number)) return versions.end();
  }
  return std::ranges::find(versions, Version(number));
}

}  // namespace

Retention::Retention(const RetentionOptions& options, Store* store, SnapshotCache* cache, const Clock* clock,
                     absl::AnyInvocable<Policies() const> policies)
    : options_(options), store_(store), cache_(cache), clock_(clock), policies_(std::move(policies)) {}

absl::StatusOr<absl::Duration> Retention::Work() {
  if (!sweep_.has_value()) sweep_ = Begin();
  absl::StatusOr<absl::Duration> pause = sweep_->has_branches ? ReadSnapshots() : ReadBranches();
  if (!pause.ok()) End();
  return pause;
}

Retention::Sweep Retention::Begin() {
  {
    // Before the branches are read: a branch that an import has made by now is among them.
    absl::MutexLock lock(&mutex_);
    kept_from_ = held_from_.empty() ? Version(std::numeric_limits<int64_t>::max()) : *held_from_.begin();
  }
  Sweep sweep{.begin = clock_->Now(),
              .policies = policies_(),
              .before = Version(std::numeric_limits<int64_t>::max())};
  for (const auto& [model, policy] : sweep.policies) sweep.drops_any |= !policy.keeps_all();
  return sweep;
}

void Retention::Hold(Version first) {
  absl::MutexLock lock(&mutex_);
  held_from_.insert(first);
  kept_from_ = std::min(kept_from_, first);
}

void Retention::Release(Version first) {
  absl::MutexLock lock(&mutex_);
  held_from_.erase(held_from_.find(first));
}

bool Retention::IsHeld(Version version) const {
  absl::MutexLock lock(&mutex_);
  return version >= kept_from_;
}

absl::Duration Retention::End() {
  sweep_.reset();
  return options_.pause;
}

absl::StatusOr<absl::Duration> Retention::ReadBranches() {
  const absl::StatusOr<std::vector<BranchRecord>> branches =
      WaitFor<std::vector<BranchRecord>>([this](auto done) {
        store_->ScanBranches("", sweep_->last_branch, options_.batch_size, std::move(done));
      });
  if (!branches.ok()) return branches.status();
  for (const BranchRecord& branch : *branches) {
    const bool has_expired = branch.expire_time <= sweep_->begin;
    if (!has_expired || !DeleteExpired(branch)) AddBranch(branch);
  }
  if (branches->size() == options_.batch_size) {
    sweep_->last_branch = branches->back().name;
    return kShortPause;
  }
  sweep_->has_branches = true;
  return sweep_->drops_any ? kShortPause : End();
}

bool Retention::DeleteExpired(const BranchRecord& branch) {
  CommitBatch batch;
  batch.branch_deletions.push_back({.name = branch.name, .time = sweep_->begin, .expired_by = sweep_->begin});
  return WaitFor<bool>([this, &batch](auto done) {
           store_->Commit(
               std::move(batch), Durability::kAsync,
               [done = std::move(done)](const absl::Status& visible) mutable {
                 std::move(done)(visible.ok());
               },
               [](const absl::Status& /*durable*/) {});
         })
      .value();
}

void Retention::AddBranch(const BranchRecord& branch) {
  RetentionPolicy policy;
  if (branch.retention.has_value()) {
    policy = *branch.retention;
  } else if (const auto of_model = sweep_->policies.find(branch.model); of_model != sweep_->policies.end()) {
    policy = of_model->second;
  }
  sweep_->drops_any |= !policy.keeps_all();
  AddLineage(branch.head, {.rules = RetentionRules(policy), .is_head = true, .from = branch.head});
}

void Retention::AddLineage(Version next, const Lineage& lineage) {
  const auto [place, is_new] = sweep_->lineages.try_emplace(next, lineage);
  if (is_new) return;
  Lineage& together = place->second;
  together.rules.Merge(lineage.rules);
  together.is_head |= lineage.is_head;
  together.from = std::min(together.from, lineage.from);  // The nearer one.
}

absl::StatusOr<absl::Duration> Retention::ReadSnapshots() {
  const absl::StatusOr<Records> records = WaitFor<Records>(
      [this](auto done) { store_->ScanSnapshots(sweep_->before, options_.batch_size, std::move(done)); });
  if (!records.ok()) return records.status();
  std::vector<Version> unkept;
  absl::Status mended;
  for (const auto& record : *records) {
    mended = MendLineages(record->version);
    if (!mended.ok()) break;  // What was found before still holds.
    if (!Keeps(*record)) unkept.push_back(record->version);
    sweep_->before = record->version;
  }
  const absl::StatusOr<int64_t> dropped = Drop(std::move(unkept));
  if (!dropped.ok()) return dropped.status();
  if (!mended.ok() && !absl::IsNotFound(mended)) return mended;
  // What a lineage stood on may have been deleted just now: the next sweep will find another way.
  if (!mended.ok() || records->size() < options_.batch_size) return End();
  return std::max(kShortPause, absl::Seconds(1) * *dropped / options_.max_drops_per_second);
}

bool Retention::Keeps(const SnapshotRecord& record) {
  const absl::Duration age = sweep_->begin - record.create_time;
  const bool stays = !record.parent.has_value() || record.pinned || IsLabelled(*record.labels) ||
                     age < options_.min_age || age <= absl::ZeroDuration() || IsHeld(record.version);
  const auto found = sweep_->lineages.begin();
  if (found == sweep_->lineages.end() || found->first != record.version) {
    const auto policy = sweep_->policies.find(record.origin->model);
    return stays || policy == sweep_->policies.end() ||
           RetentionRules::OffBranches(policy->second).KeepsNext(record, sweep_->begin);
  }
  Lineage lineage = std::move(found->second);
  sweep_->lineages.erase(found);
  const bool is_head = std::exchange(lineage.is_head, false);
  const bool keeps = lineage.rules.KeepsNext(record, sweep_->begin) || is_head || stays;
  if (keeps) lineage.from = record.version;
  if (record.parent.has_value()) AddLineage(*record.parent, lineage);
  return keeps;
}

absl::Status Retention::MendLineages(Version version) {
  while (!sweep_->lineages.empty() && sweep_->lineages.begin()->first > version) {
    const auto [gone, lineage] = *sweep_->lineages.begin();
    sweep_->lineages.erase(sweep_->lineages.begin());
    // Most often the nearest ancestor that is left; what this sweep is about to drop, or could not, may come
    // before it.
    for (size_t limit = 2;; limit *= 16) {
      const absl::StatusOr<Records> ancestors =
          WaitFor<Records>([this, limit, from = lineage.from](auto done) {
            store_->ScanAncestors(from, limit, std::move(done));
          });
      if (!ancestors.ok()) return ancestors.status();
      const auto next = std::ranges::find_if(
          *ancestors, [gone = gone](const auto& record) { return record->version < gone; });
      if (next != ancestors->end()) {
        AddLineage((*next)->version, lineage);
        break;
      }
      if (ancestors->size() < limit) break;  // They end with a root.
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Retention::Drop(std::vector<Version> versions) {
  while (!versions.empty()) {
    const absl::StatusOr<int64_t> freed_bytes = WaitFor<int64_t>([this, &versions](auto done) {
      DropSnapshots(store_, cache_, {.versions = versions, .spares_labelled = true}, Durability::kAsync,
                    std::move(done));
    });
    if (freed_bytes.ok()) break;
    // It has become a head, or was pinned, labelled or deleted meanwhile; the others can go.
    const auto refused = FindRefused(versions, freed_bytes.status());
    if (refused == versions.end()) return freed_bytes.status();
    versions.erase(refused);
  }
  return static_cast<int64_t>(versions.size());
}

}  // namespace stepwell
