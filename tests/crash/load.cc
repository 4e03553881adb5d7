#include "tests/crash/load.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/crash/caller.h"
#include "tests/crash/patience.h"

namespace stepwell::testing {
namespace {

constexpr size_t kMostRepeats = 20;
constexpr unsigned kSync = 60;  // Of a hundred.

// Each of these calls until there is no answer any more.

// Several clients whose steps queue on one branch.
void Queue(Caller& caller, const std::string& name) {
  bool goes_on = true;
  for (int i = 0; goes_on; ++i) {
    const std::string request_id = caller.Chance(30) ? absl::StrCat(name, "/", i) : "";
    goes_on = caller.Step({.model = "counter", .branch = "shared/queue"}, caller.Chance(kSync), request_id)
                  .has_value();
  }
}

// Several clients that step some of the same branches as one.
void Batch(Caller& caller) {
  std::vector<Part> branches;
  for (const StandingBranch& branch : StandingBranches()) {
    if (IsShared(branch.name) && branch.name != "shared/queue") {
      branches.push_back({.model = branch.model, .branch = branch.name});
    }
  }
  bool goes_on = true;
  while (goes_on) {
    std::shuffle(branches.begin(), branches.end(), caller.random());
    if (caller.Chance(20)) {
      goes_on = caller.Step(branches[0], caller.Chance(kSync)).has_value();
    } else {
      const auto count = 2 + static_cast<ptrdiff_t>(caller.random()() % (branches.size() - 1));
      goes_on = caller.BatchStep({branches.begin(), branches.begin() + count}, caller.Chance(kSync));
    }
  }
}

// Steps that hardly ever wait for the disk: a kill may take the last of them.
void Trickle(Caller& caller) {
  while (caller.Step({.model = "gru", .branch = "own/trickle"}, caller.Chance(2)).has_value()) {
  }
}

void Stream(Caller& caller, const std::string& model, const std::string& branch, unsigned sync) {
  while (caller.Stream(model, branch, 100, caller.Chance(sync))) {
  }
}

void Scan(Caller& caller) {
  bool goes_on = true;
  while (goes_on) {
    const int steps = 1 + static_cast<int>(caller.random()() % 60);
    goes_on = caller.Chance(50) ? caller.Scan("counter", "own/scan", steps, caller.Chance(kSync))
                                : caller.Scan("gru", "own/scan_gru", steps, caller.Chance(kSync));
  }
}

// Forks of old and new versions, with branches and without; what is said of versions; a branch that goes
// back.
void Fork(Caller& caller, const Plan& plan, const Ledger& ledger, const std::string& name) {
  std::vector<std::pair<int64_t, std::string>> bases = plan.bases;
  const auto step = [&](Part part) {
    const std::string model = part.model;
    const auto version = caller.Step(std::move(part), caller.Chance(kSync));
    if (version.has_value()) bases.emplace_back(*version, model);
    return version.has_value();
  };
  bool goes_on = true;
  for (int i = 0; goes_on; ++i) {
    const bool sync = caller.Chance(kSync);
    const std::string branch = absl::StrCat("fork/", name, "/", i);
    if (bases.empty() || caller.Chance(5)) {
      const std::string model = caller.Chance(50) ? "counter" : "gru";
      const auto count = static_cast<int32_t>(caller.random()());
      const auto root = caller.Make(model, caller.Chance(50) ? branch : "", sync, count);
      goes_on = root.has_value();
      if (goes_on) bases.emplace_back(*root, model);
      continue;
    }
    const auto [base, model] = bases[caller.random()() % bases.size()];
    switch (caller.random()() % 6) {
      case 0:
        goes_on = caller.CreateBranch(branch, base, sync);
        for (int k = 0; goes_on && k < 3; ++k) goes_on = step({.model = model, .branch = branch});
        if (goes_on && caller.Chance(50)) goes_on = caller.DeleteBranch(branch, caller.Chance(kSync));
        break;
      case 1:
        if (model == "counter") goes_on = caller.MoveBranch("own/moved", base, sync);
        if (goes_on) goes_on = step({.model = "counter", .branch = "own/moved"});
        break;
      case 2: {
        const auto kept = ledger.snapshots.find(base);
        if (kept != ledger.snapshots.end()) {
          goes_on = caller.Note(base, kept->second.labels, caller.Chance(20), sync);
        }
        break;
      }
      case 3:
        goes_on = caller.Set("own/set", static_cast<int32_t>(caller.random()()), sync);
        break;
      default:
        goes_on = step({.model = model, .base = base});
    }
  }
}

// Takes away what is old.
void Clear(Caller& caller, const Plan& plan) {
  for (const auto& versions : plan.drops) {
    if (!caller.Drop(versions, caller.Chance(kSync))) return;
  }
  for (const std::string& branch : plan.branch_deletes) {
    if (!caller.DeleteBranch(branch, caller.Chance(kSync))) return;
  }
}

// Arrays that grow, and are forked while they do. A few suffice: each version is as long as all before it.
void Grow(Caller& caller, const std::string& name) {
  const std::string model = "attention_decoder", branch = absl::StrCat("grow/", name);
  if (!caller.Make(model, branch, caller.Chance(kSync)).has_value()) return;
  for (int i = 0; i < 6; ++i) {
    const auto version = caller.Step({.model = model, .branch = branch}, caller.Chance(kSync));
    if (!version.has_value()) return;
    if (caller.Chance(30) &&
        !caller.Step({.model = model, .base = *version}, caller.Chance(kSync)).has_value()) {
      return;
    }
  }
}

}  // namespace

Load::Load(const std::string& address, const Ledger* ledger, Journal* journal, Plan plan,
           std::mt19937& random)
    : ledger_(*ledger),
      journal_(journal),
      plan_(std::move(plan)),
      client_(client::Client::Connect(PatientOptions(address))),
      random_(random) {}

Load::~Load() {
  for (std::thread& client : clients_) client.join();
}

bool Load::Prepare(std::vector<Repeatable> repeatable) {
  Caller caller(client_.get(), journal_, random_());
  for (const StandingBranch& branch : StandingBranches()) {
    if (!ledger_.branches.contains(branch.name) && !caller.Make(branch.model, branch.name, true))
      return false;
  }
  std::shuffle(repeatable.begin(), repeatable.end(), random_);
  repeatable.resize(std::min(repeatable.size(), kMostRepeats));
  for (const Repeatable& again : repeatable) {
    const std::string state = again.made.has_value() ? ledger_.snapshots.at(*again.made).state : "";
    if (!caller.Repeat(again, state)) return false;
  }
  return true;
}

int Load::Start() {
  const auto start = [this](auto role) {
    clients_.emplace_back([this, role, seed = random_()] {
      Caller caller(client_.get(), journal_, seed);
      role(caller);
      journal_->Leave();
    });
  };
  const std::string run = absl::StrCat(journal_->last_id());  // No other run has this number.
  for (int i = 0; i < 3; ++i)
    start([name = absl::StrCat(run, "/", i)](Caller& caller) { Queue(caller, name); });
  for (int i = 0; i < 2; ++i) start(Batch);
  start(Trickle);
  start([](Caller& caller) { Stream(caller, "counter", "own/stream", 100); });
  start([](Caller& caller) { Stream(caller, "gru", "own/flow", 30); });
  start(Scan);
  start([this, run](Caller& caller) { Fork(caller, plan_, ledger_, run); });
  start([this](Caller& caller) { Clear(caller, plan_); });
  start([run](Caller& caller) { Grow(caller, run); });
  return static_cast<int>(clients_.size());
}

}  // namespace stepwell::testing
