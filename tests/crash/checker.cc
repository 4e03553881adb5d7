#include "tests/crash/checker.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "tests/crash/checking.h"

namespace stepwell::testing {

std::string TextOf(const std::optional<int64_t>& version) {
  return version.has_value() ? absl::StrCat(*version) : "none";
}

std::string TextOf(const client::Labels& labels) {
  return absl::StrCat("{", absl::StrJoin(labels, ", ", absl::PairFormatter("=")), "}");
}

absl::StatusOr<Checked> Checking::Run() {
  for (const auto part :
       {&Checking::FindVersions, &Checking::FindNotes, &Checking::FindDrops, &Checking::FindBranches,
        &Checking::HoldWhatIsOwed, &Checking::CompareStates, &Checking::Settle, &Checking::Reread}) {
    const absl::Status status = (this->*part)();
    if (!status.ok()) return status;
  }
  return std::move(checked_);
}

std::string Checking::Describe(size_t operation) const {
  const Operation& asked = operations_[operation];
  static constexpr const char* kKinds[] = {"make", "branch", "note", "drop"};
  std::string text =
      absl::StrCat("operation ", asked.id, " (", kKinds[static_cast<int>(asked.kind)], ", ",
                   asked.sync ? "sync" : "async", ", sent at ", asked.sent, ", ",
                   asked.answered == 0 ? "not answered" : absl::StrCat("answered at ", asked.answered));
  for (const Part& part : asked.parts) {
    absl::StrAppend(&text, "; ", part.model, " on ", part.branch.empty() ? "no branch" : part.branch,
                    part.base.has_value() ? absl::StrCat(" from ", *part.base) : "", ", version ",
                    part.version);
  }
  if (!asked.branch.empty()) absl::StrAppend(&text, "; ", asked.branch, " to ", TextOf(asked.head));
  if (!asked.versions.empty()) absl::StrAppend(&text, "; of ", absl::StrJoin(asked.versions, ", "));
  return text + ")";
}

absl::Status Checking::HoldWhatIsOwed() {
  std::optional<size_t> last;  // The last to be sent of those that were done.
  for (size_t i = 0; i < operations_.size(); ++i) {
    if (done_[i] != Done::kYes) continue;
    if (!last.has_value() || operations_[i].sent > operations_[*last].sent) last = i;
  }
  bool lost = false;
  for (size_t i = 0; i < operations_.size(); ++i) {
    const Operation& operation = operations_[i];
    const auto parts = static_cast<int64_t>(operation.parts.size());
    if (operation.answered == 0 && done_[i] == Done::kYes) counts_.unanswered_versions += parts;
    if (operation.answered == 0) continue;
    if (done_[i] != Done::kNo) {
      (operation.sync ? counts_.sync_versions : counts_.async_versions) += parts;
      continue;
    }
    if (operation.sync) return Violation("what was answered as synced is not there: ", Describe(i));
    if (options_.ended_by_itself) {
      return Violation("the server ended by itself, and what it had answered is not there: ", Describe(i));
    }
    if (last.has_value() && operation.answered < operations_[*last].sent) {
      return Violation("a hole: ", Describe(i), " is not there, though later there was ", Describe(*last));
    }
    counts_.lost_versions += parts;
    lost = true;
  }
  if (lost) ++counts_.suffixes;
  return absl::OkStatus();
}

absl::StatusOr<Checked> Check(const Ledger& before, std::vector<Operation> operations,
                              const CheckOptions& options, StoredState& stored, std::mt19937& random,
                              CheckCounts& counts) {
  return Checking(before, std::move(operations), options, stored, random, counts).Run();
}

}  // namespace stepwell::testing
