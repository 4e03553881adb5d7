#include "tests/crash/plan.h"

#include <algorithm>
#include <set>

namespace stepwell::testing {
namespace {

constexpr int kOldCycles = 3;  // What is as old may go.
constexpr size_t kMostBases = 2000;

}  // namespace

const std::vector<StandingBranch>& StandingBranches() {
  static const auto* const branches = new std::vector<StandingBranch>{
      {"shared/queue", "counter"}, {"shared/0", "counter"}, {"shared/1", "counter"}, {"shared/2", "counter"},
      {"shared/3", "gru"},         {"shared/4", "gru"},     {"own/trickle", "gru"},  {"own/flow", "gru"},
      {"own/stream", "counter"},   {"own/scan", "counter"}, {"own/scan_gru", "gru"}, {"own/set", "counter"},
      {"own/moved", "counter"}};
  return *branches;
}

Plan MakePlan(const Ledger& ledger, int cycle, std::mt19937& random) {
  Plan plan;
  std::set<int64_t> heads;
  std::set<std::string> standing;
  for (const StandingBranch& branch : StandingBranches()) standing.insert(branch.name);
  for (const auto& [name, head] : ledger.branches) {
    heads.insert(head);
    const bool is_old = ledger.snapshots.at(head).cycle + kOldCycles <= cycle;
    if (is_old && !standing.contains(name) && random() % 4 != 0) plan.branch_deletes.push_back(name);
  }
  size_t room = 0;  // In the last of the drops.
  for (const auto& [version, kept] : ledger.snapshots) {
    const bool is_old = kept.cycle + kOldCycles <= cycle;
    if (!is_old || kept.pinned || heads.contains(version) || random() % 3 == 0) {
      plan.bases.emplace_back(version, kept.model);
      continue;
    }
    if (room == 0) {
      plan.drops.emplace_back();
      room = 1 + random() % 300;
    }
    plan.drops.back().push_back(version);
    --room;
  }
  std::shuffle(plan.bases.begin(), plan.bases.end(), random);
  plan.bases.resize(std::min(plan.bases.size(), kMostBases));
  std::shuffle(plan.drops.begin(), plan.drops.end(), random);
  return plan;
}

}  // namespace stepwell::testing
