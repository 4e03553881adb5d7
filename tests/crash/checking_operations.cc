// Which operations were done, as far as what is there tells.
#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "stepwell/client/status.h"
#include "tests/crash/checking.h"

namespace stepwell::testing {
namespace {

constexpr size_t kToldWrites = 50;

}  // namespace

absl::Status Checking::Claim(const FoundSnapshot& snapshot) {
  const auto unasked = [&snapshot](const auto&... why) {
    return Violation("version ", snapshot.version, " of ", snapshot.model, " with labels ",
                     TextOf(snapshot.labels), " is there, ", why...);
  };
  const auto label = snapshot.labels.find(kPartLabel);
  if (label == snapshot.labels.end()) return unasked("and nobody asked for it");
  const std::vector<std::string> numbers = absl::StrSplit(label->second, '.');
  int64_t id = 0;
  size_t part = 0;
  if (numbers.size() != 2 || !absl::SimpleAtoi(numbers[0], &id) || !absl::SimpleAtoi(numbers[1], &part)) {
    return unasked("and its label is nobody's");
  }
  const auto asked = by_id_.find(id);
  if (asked == by_id_.end()) return unasked("and no operation of this run asked for it");
  const Operation& operation = operations_[asked->second];
  std::vector<int64_t>& made = made_[asked->second];
  while (part < made.size() && made[part] != 0) ++part;  // The next of a scan.
  if (part >= made.size()) return unasked("more than was asked for: ", Describe(asked->second));
  const Part& owed = operation.parts[part];
  if (owed.version != 0 && owed.version != snapshot.version) {
    return unasked("but another was answered: ", Describe(asked->second));
  }
  if (owed.model != snapshot.model || snapshot.labels.size() != 1 || snapshot.pinned) {
    return unasked("pinned or not: ", snapshot.pinned,
                   ", unlike what was asked for: ", Describe(asked->second));
  }
  const bool from_head = !owed.is_root && !owed.base.has_value();
  if (!from_head && owed.base != snapshot.parent) {
    return unasked("made from ", TextOf(snapshot.parent),
                   ", unlike what was asked for: ", Describe(asked->second));
  }
  made[part] = snapshot.version;
  found_[snapshot.version] = {snapshot, asked->second, part, ""};
  return absl::OkStatus();
}

absl::Status Checking::FindVersions() {
  std::set<int64_t> handed_out;
  for (size_t i = 0; i < operations_.size(); ++i) {
    by_id_[operations_[i].id] = i;
    made_.emplace_back(operations_[i].parts.size(), 0);
    for (const Part& part : operations_[i].parts) {
      if (part.version == 0) continue;
      if (part.version <= before_.last_version || !handed_out.insert(part.version).second) {
        return Violation("version ", part.version, " was handed out twice, the second time to ", Describe(i));
      }
    }
  }
  const auto snapshots = stored_.SnapshotsAfter(before_.last_version);
  if (!snapshots.ok()) return snapshots.status();
  for (const FoundSnapshot& snapshot : *snapshots) {
    if (!snapshot.durable) return Violation("version ", snapshot.version, " was found, and is not durable");
    const absl::Status claimed = Claim(snapshot);
    if (!claimed.ok()) return claimed;
  }
  for (size_t i = 0; i < operations_.size(); ++i) {
    if (operations_[i].kind != Operation::Kind::kMake) continue;
    const auto lost = std::count(made_[i].begin(), made_[i].end(), 0);
    if (lost != 0 && static_cast<size_t>(lost) != made_[i].size()) {
      return Violation(lost, " of ", made_[i].size(),
                       " versions are not there, the others are: ", Describe(i));
    }
    done_[i] = lost == 0 ? Done::kYes : Done::kNo;
  }
  return absl::OkStatus();
}

absl::Status Checking::FindNotes() {
  std::map<int64_t, std::vector<size_t>> notes;  // By version, in order.
  for (size_t i = 0; i < operations_.size(); ++i) {
    if (operations_[i].kind == Operation::Kind::kNote) notes[operations_[i].versions.at(0)].push_back(i);
  }
  std::vector<int64_t> versions;
  for (const auto& [version, operations] : notes) versions.push_back(version);
  const auto snapshots = stored_.Snapshots(versions);
  for (size_t i = 0; i < versions.size(); ++i) {
    const Kept& kept = before_.snapshots.at(versions[i]);
    if (!snapshots[i].ok())
      return Violation("version ", versions[i], " is not there: ", snapshots[i].status().ToString());
    const FoundSnapshot& found = *snapshots[i];
    const std::vector<size_t>& operations = notes.at(versions[i]);
    size_t seen = 0;  // How many of them were done.
    bool fits = found.labels == kept.labels && found.pinned == kept.pinned;
    for (size_t k = 0; k < operations.size(); ++k) {
      const Operation& operation = operations_[operations[k]];
      client::Labels labels = kept.labels;
      labels[kNoteLabel] = absl::StrCat(operation.id);
      if (found.labels != labels || found.pinned != operation.pinned) continue;
      fits = true;
      seen = k + 1;
    }
    if (!fits) {
      return Violation("version ", versions[i], " has labels ", TextOf(found.labels),
                       " and is pinned: ", found.pinned, "; nobody wrote that, the last who wrote was ",
                       Describe(operations.back()));
    }
    for (size_t k = 0; k < operations.size(); ++k) done_[operations[k]] = k < seen ? Done::kYes : Done::kNo;
    noted_[versions[i]] = found;
  }
  return absl::OkStatus();
}

absl::Status Checking::FindDrops() {
  for (size_t i = 0; i < operations_.size(); ++i) {
    if (operations_[i].kind != Operation::Kind::kDrop) continue;
    std::vector<int64_t> there, gone;
    const auto snapshots = stored_.Snapshots(operations_[i].versions);
    for (size_t k = 0; k < snapshots.size(); ++k) {
      const bool is_gone =
          !snapshots[k].ok() && client::ErrorReason(snapshots[k].status()) == "SNAPSHOT_EVICTED";
      if (!is_gone && !snapshots[k].ok()) {
        return Violation("version ", operations_[i].versions[k], ": ", snapshots[k].status().ToString(),
                         " after ", Describe(i));
      }
      (is_gone ? gone : there).push_back(operations_[i].versions[k]);
    }
    if (!there.empty() && !gone.empty()) {
      return Violation("versions ", absl::StrJoin(there, ", "), " are there, ", absl::StrJoin(gone, ", "),
                       " are not: ", Describe(i));
    }
    done_[i] = there.empty() ? Done::kYes : Done::kNo;
  }
  return absl::OkStatus();
}

std::vector<BranchWrite> Checking::WritesOf(const std::string& branch) const {
  std::vector<BranchWrite> writes;
  for (size_t i = 0; i < operations_.size(); ++i) {
    const Operation& operation = operations_[i];
    if (operation.kind == Operation::Kind::kBranch && operation.branch == branch) {
      writes.push_back({.operation = i, .head = operation.head});
    }
    for (size_t part = 0; part < operation.parts.size(); ++part) {
      if (operation.parts[part].branch != branch) continue;
      const int64_t version = made_[i][part];
      BranchWrite write{.operation = i, .made = version != 0, .follows_head = !operation.parts[part].is_root};
      if (version != 0) {
        write.head = version;
        write.parent = found_.at(version).snapshot.parent;
      }
      if (version != 0 || !IsShared(branch)) writes.push_back(write);
    }
  }
  if (IsShared(branch)) {
    // In the order in which they had their turns.
    std::sort(writes.begin(), writes.end(),
              [](const BranchWrite& a, const BranchWrite& b) { return *a.head < *b.head; });
  }
  return writes;
}

absl::Status Checking::FindBranches() {
  auto found = stored_.Branches();
  if (!found.ok()) return found.status();
  branches_ = *std::move(found);
  std::set<std::string> names;
  for (const auto& [name, head] : before_.branches) names.insert(name);
  for (const auto& [name, head] : branches_) names.insert(name);
  for (const Operation& operation : operations_) {
    if (!operation.branch.empty()) names.insert(operation.branch);
    for (const Part& part : operation.parts) {
      if (!part.branch.empty()) names.insert(part.branch);
    }
  }
  const auto head_in = [](const std::map<std::string, int64_t>& branches, const std::string& name) {
    const auto branch = branches.find(name);
    return branch == branches.end() ? std::optional<int64_t>() : branch->second;
  };
  for (const std::string& name : names) {
    const std::vector<BranchWrite> writes = WritesOf(name);
    const auto done = FollowBranch(name, head_in(before_.branches, name), head_in(branches_, name), writes);
    if (!done.ok()) {
      std::string asked;
      for (size_t i = writes.size() - std::min(writes.size(), kToldWrites); i < writes.size(); ++i) {
        absl::StrAppend(&asked, "\n  ", i + 1, ": ", Describe(writes[i].operation));
      }
      return Violation(done.status().message(), "\nits last changes:", asked);
    }
    for (size_t i = 0; i < writes.size(); ++i) {
      if (operations_[writes[i].operation].kind != Operation::Kind::kBranch) continue;
      done_[writes[i].operation] = i < done->at_least  ? Done::kYes
                                   : i < done->at_most ? Done::kUnknown
                                                       : Done::kNo;
    }
    const auto head = head_in(branches_, name);
    if (head.has_value() && !found_.contains(*head) && !before_.snapshots.contains(*head)) {
      return Violation("branch ", name, " points at version ", *head, ", which is not there");
    }
  }
  return absl::OkStatus();
}

}  // namespace stepwell::testing
