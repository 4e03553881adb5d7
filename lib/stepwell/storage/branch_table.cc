#include "stepwell/storage/branch_table.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "stepwell/storage/errors.h"

namespace stepwell {

const BranchRecord* BranchTable::Find(absl::string_view name) const {
  const auto found = branches_.find(name);
  return found == branches_.end() ? nullptr : &found->second;
}

const BranchRecord* BranchTable::FindByHead(Version head) const {
  const auto found = std::ranges::find(branches_, head, [](const auto& entry) { return entry.second.head; });
  return found == branches_.end() ? nullptr : &found->second;
}

std::vector<BranchRecord> BranchTable::Scan(absl::string_view prefix, absl::string_view after,
                                            size_t limit) const {
  std::vector<BranchRecord> branches;
  auto at = after < prefix ? branches_.lower_bound(prefix) : branches_.upper_bound(after);
  for (; at != branches_.end() && branches.size() < limit && absl::StartsWith(at->first, prefix); ++at) {
    branches.push_back(at->second);
  }
  return branches;
}

absl::Status BranchTable::Check(const CommitBatch& batch,
                                absl::FunctionRef<absl::Status(Version)> present) const {
  // A batch changes a branch once: the second change would not see the first.
  absl::flat_hash_set<absl::string_view> changed;
  for (const BranchRecord& branch : batch.new_branches) {
    const BranchRecord* const existing = Find(branch.name);
    if (existing != nullptr && existing->expire_time > branch.create_time) return BranchExists(branch.name);
    absl::Status head_present = present(branch.head);
    if (!head_present.ok()) return head_present;
    if (!changed.insert(branch.name).second) return BranchChangedTwice(branch.name);
  }
  for (const BranchUpdate& update : batch.branch_updates) {
    absl::Status allowed = CheckHead(update.name, update.expected_head);
    if (!allowed.ok()) return allowed;
    if (update.head.has_value()) {
      absl::Status head_present = present(*update.head);
      if (!head_present.ok()) return head_present;
    }
    if (!changed.insert(update.name).second) return BranchChangedTwice(update.name);
  }
  for (const BranchDeletion& deletion : batch.branch_deletions) {
    absl::Status allowed = CheckHead(deletion.name, deletion.expected_head);
    if (!allowed.ok()) return allowed;
    if (deletion.expired_by.has_value() && Find(deletion.name)->expire_time > *deletion.expired_by) {
      return BranchNotFound(deletion.name);
    }
    if (!changed.insert(deletion.name).second) return BranchChangedTwice(deletion.name);
  }
  return absl::OkStatus();
}

absl::Status BranchTable::CheckHead(const std::string& name, std::optional<Version> expected_head) const {
  const BranchRecord* const branch = Find(name);
  if (branch == nullptr) return BranchNotFound(name);
  if (expected_head.value_or(branch->head) != branch->head) {
    return HeadMoved(name, *expected_head, branch->head);
  }
  return absl::OkStatus();
}

void BranchTable::Apply(CommitBatch& batch, absl::FunctionRef<void(BranchMove)> on_move) {
  for (BranchRecord& branch : batch.new_branches) ApplyNew(branch, on_move);
  for (BranchUpdate& update : batch.branch_updates) Apply(update, on_move);
  for (BranchDeletion& deletion : batch.branch_deletions) Apply(deletion, on_move);
}

void BranchTable::ApplyNew(BranchRecord& branch, absl::FunctionRef<void(BranchMove)> on_move) {
  const auto [place, is_new] = branches_.try_emplace(branch.name);
  if (!is_new) on_move({branch.name, std::nullopt, place->second.head, branch.create_time});
  on_move({branch.name, branch.head, std::nullopt, branch.create_time});
  place->second = std::move(branch);
}

void BranchTable::Apply(BranchUpdate& update, absl::FunctionRef<void(BranchMove)> on_move) {
  BranchRecord& branch = branches_.find(update.name)->second;
  const Version previous = branch.head;
  ApplyTo(branch, update);
  if (update.head.has_value()) on_move({std::move(update.name), update.head, previous, update.time});
}

void BranchTable::Apply(BranchDeletion& deletion, absl::FunctionRef<void(BranchMove)> on_move) {
  const auto branch = branches_.find(deletion.name);
  const Version head = branch->second.head;
  branches_.erase(branch);
  on_move({std::move(deletion.name), std::nullopt, head, deletion.time});
}

void BranchTable::Restore(BranchRecord branch) {
  std::string name = branch.name;
  branches_.insert_or_assign(std::move(name), std::move(branch));
}

}  // namespace stepwell
