// Whether what is there has the state that it must have, bit for bit; and what is owed from then on.
#include <algorithm>
#include <cstring>

#include "stepwell/client/status.h"
#include "tests/crash/checking.h"

namespace stepwell::testing {
namespace {

// How long the versions of a run are read again after every start.
constexpr int kRecentCycles = 1;
// How many others are, and of those that must not come back.
constexpr size_t kSampled = 50;
constexpr size_t kSampledGone = 20;

// What the model counter makes of a state, exactly.
std::string Counted(const std::string& state, const Array& x) {
  int32_t count = 0;
  std::memcpy(&count, state.data(), sizeof(count));
  count =
      static_cast<int32_t>(static_cast<uint32_t>(count) + static_cast<uint32_t>(x.As<int32_t>().value()[0]));
  return std::string(reinterpret_cast<const char*>(&count), sizeof(count));
}

}  // namespace

const std::string* Checking::StateOf(int64_t version) const {
  if (const auto made = found_.find(version); made != found_.end()) return &made->second.state;
  const auto kept = before_.snapshots.find(version);
  return kept == before_.snapshots.end() ? nullptr : &kept->second.state;
}

absl::Status Checking::CompareStates() {
  std::vector<int64_t> versions;
  for (auto& [version, made] : found_) {  // A parent comes before its children.
    const Part& part = operations_[made.operation].parts[made.part];
    versions.push_back(version);
    if (part.state.has_value()) made.state = *part.state;
    if (!part.x.has_value()) continue;
    const std::string* base = StateOf(made.snapshot.parent.value_or(0));
    if (base == nullptr) {
      return Violation("version ", version, " was made from ", TextOf(made.snapshot.parent),
                       ", which is not there: ", Describe(made.operation));
    }
    if (part.model == "counter") {
      const std::string counted = Counted(*base, *part.x);
      if (part.state.has_value() && *part.state != counted) {
        return Violation("version ", version, " was answered with another sum than that of its parent ",
                         *made.snapshot.parent, " and its input: ", Describe(made.operation));
      }
      made.state = counted;
    } else if (!part.state.has_value()) {
      auto computed = stored_.StateAfterStep(*made.snapshot.parent, *part.x);
      if (!computed.ok()) return computed.status();
      made.state = *std::move(computed);
    }
  }
  const auto states = stored_.States(versions);
  for (size_t i = 0; i < versions.size(); ++i) {
    const Made& made = found_.at(versions[i]);
    if (!states[i].ok()) {
      return Violation("version ", versions[i], " cannot be read: ", states[i].status().ToString(), ": ",
                       Describe(made.operation));
    }
    if (*states[i] != made.state) {
      return Violation("version ", versions[i], " was altered, from ", made.snapshot.parent.value_or(0), ": ",
                       Describe(made.operation));
    }
  }
  return absl::OkStatus();
}

absl::Status Checking::Settle() {
  Ledger& after = checked_.ledger;
  after = before_;
  after.branches = branches_;
  for (const auto& [version, found] : noted_) {
    after.snapshots.at(version).labels = found.labels;
    after.snapshots.at(version).pinned = found.pinned;
  }
  for (const auto& [version, made] : found_) {
    after.snapshots[version] = {
        made.snapshot.model, made.snapshot.parent, made.state, made.snapshot.labels, false, options_.cycle};
    after.last_version = std::max(after.last_version, version);
  }
  for (size_t i = 0; i < operations_.size(); ++i) {
    const Operation& operation = operations_[i];
    for (const Part& part : operation.parts) {
      after.last_version = std::max(after.last_version, part.version);
      if (part.version != 0 && done_[i] == Done::kNo) after.gone[part.version] = "SNAPSHOT_UNKNOWN";
    }
    if (operation.kind == Operation::Kind::kDrop && done_[i] == Done::kYes) {
      for (const int64_t version : operation.versions) {
        after.snapshots.erase(version);
        after.gone[version] = "SNAPSHOT_EVICTED";
      }
    }
    if (!operation.request_id.empty()) {
      std::optional<int64_t> made;
      if (made_[i].at(0) != 0) made = made_[i].at(0);
      checked_.repeatable.push_back({operation, made});
    }
  }
  return absl::OkStatus();
}

absl::Status Checking::Reread() {
  const Ledger& after = checked_.ledger;
  std::vector<int64_t> versions, older, gone;
  for (const auto& [version, kept] : after.snapshots) {
    if (found_.contains(version)) continue;
    (options_.everything || kept.cycle + kRecentCycles >= options_.cycle ? versions : older)
        .push_back(version);
  }
  std::shuffle(older.begin(), older.end(), random_);
  older.resize(std::min(older.size(), kSampled));
  versions.insert(versions.end(), older.begin(), older.end());
  counts_.rereads += static_cast<int64_t>(versions.size());

  const auto snapshots = stored_.Snapshots(versions);
  const auto states = stored_.States(versions);
  for (size_t i = 0; i < versions.size(); ++i) {
    const int64_t version = versions[i];
    const Kept& kept = after.snapshots.at(version);
    for (const absl::Status& read : {snapshots[i].status(), states[i].status()}) {
      if (!read.ok())
        return Violation("version ", version, " of run ", kept.cycle, " is lost: ", read.ToString());
    }
    if (*states[i] != kept.state)
      return Violation("version ", version, " of run ", kept.cycle, " was altered");
    if (snapshots[i]->parent != kept.parent || snapshots[i]->labels != kept.labels ||
        snapshots[i]->pinned != kept.pinned || !snapshots[i]->durable) {
      return Violation("version ", version, " of run ", kept.cycle, " has parent ",
                       TextOf(snapshots[i]->parent), ", labels ", TextOf(snapshots[i]->labels),
                       ", is pinned: ", snapshots[i]->pinned, ", durable: ", snapshots[i]->durable,
                       "; expected ", TextOf(kept.parent), ", ", TextOf(kept.labels), ", ", kept.pinned,
                       ", true");
    }
  }

  for (const auto& [version, reason] : after.gone) gone.push_back(version);
  std::shuffle(gone.begin(), gone.end(), random_);
  gone.resize(std::min(gone.size(), kSampledGone));
  const auto of_gone = stored_.Snapshots(gone);
  for (size_t i = 0; i < gone.size(); ++i) {
    const std::string& expected = after.gone.at(gone[i]);
    if (client::ErrorReason(of_gone[i].status()) != expected) {
      return Violation("version ", gone[i], " was deleted or lost, and is now ",
                       of_gone[i].status().ToString(), "; expected ", expected);
    }
  }
  if (!options_.everything) return absl::OkStatus();
  const auto all = stored_.SnapshotsAfter(0);
  if (!all.ok()) return all.status();
  for (const FoundSnapshot& snapshot : *all) {
    if (!after.snapshots.contains(snapshot.version)) {
      return Violation("version ", snapshot.version, " with labels ", TextOf(snapshot.labels), " came back");
    }
  }
  if (all->size() != after.snapshots.size()) {
    return Violation(all->size(), " snapshots are listed; expected ", after.snapshots.size());
  }
  return absl::OkStatus();
}

}  // namespace stepwell::testing
