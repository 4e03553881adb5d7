#ifndef STEPWELL_STORAGE_BRANCH_TABLE_H_
#define STEPWELL_STORAGE_BRANCH_TABLE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// The branches of a store, and what a batch may do to them. Thread-compatible.
class BranchTable {
 public:
  // Null: there is none of that name.
  const BranchRecord* Find(absl::string_view name) const;

  // A branch whose head is `head`; null where there is none. Looks at every branch.
  const BranchRecord* FindByHead(Version head) const;

  // As Store::ScanBranches.
  std::vector<BranchRecord> Scan(absl::string_view prefix, absl::string_view after, size_t limit) const;

  // What speaks against what `batch` does to branches, as Store::Commit says it. `present` tells what speaks
  // against a version as a branch's head.
  absl::Status Check(const CommitBatch& batch, absl::FunctionRef<absl::Status(Version)> present) const;

  // Does what `batch`, which Check allows, does to branches, and takes what it needs out of it. `on_move` is
  // called for each move, in order.
  void Apply(CommitBatch& batch, absl::FunctionRef<void(BranchMove)> on_move);

  size_t size() const { return branches_.size(); }

  // Puts a branch that was stored by an earlier process.
  void Restore(BranchRecord branch);

 private:
  absl::Status CheckHead(const std::string& name, std::optional<Version> expected_head) const;
  void ApplyNew(BranchRecord& branch, absl::FunctionRef<void(BranchMove)> on_move);
  void Apply(BranchUpdate& update, absl::FunctionRef<void(BranchMove)> on_move);
  void Apply(BranchDeletion& deletion, absl::FunctionRef<void(BranchMove)> on_move);

  absl::btree_map<std::string, BranchRecord, std::less<>> branches_;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_BRANCH_TABLE_H_
