// Records what concurrent clients see of one branch, for a checker (check/main.go). Two servers share one
// store, as processes may one day, so that nothing but the store's compare-and-set keeps their steps apart:
// within one engine, the branch's turns would. Clients on real sockets step, move and read the branch at the
// same time.
//
// One line of JSON a run: {"seed", "root", "end", "calls": […], "moves": […]}. A call has "client", "op",
// "call" and "return" in nanoseconds, "outcome", and what was asked and answered:
//   step  "expected" (the expected_head, 0: none); "version" and "parent" of what it made
//   move  "expected" and "to"
//   read  "head"
// An outcome is "ok"; "moved", a compare-and-set that was refused by "head"; "none", which changed nothing;
// or "unknown", a call that was given up: a move may have happened at any time since then, or never; a step
// that did has a version, since its snapshot was found in the end. "moves" are those of the branch as a watch
// told them.
//
// With --broken, the store forgets which head a commit expected. The checker must notice.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/rpc/rpc_server.h"
#include "server/services/branch_service.h"
#include "server/services/state_service.h"
#include "stepwell/client/client.h"
#include "stepwell/engine/await.h"
#include "stepwell/engine/engine.h"
#include "stepwell/storage/testing/forwarding_store.h"

namespace stepwell::testing {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kBranch[] = "live";
constexpr char kCallLabel[] = "call";
constexpr int64_t kBytes = int64_t{1} << 20;

struct Options {
  std::string models;
  uint32_t seed = 1;
  int runs = 1;
  int clients = 6;
  int calls = 25;  // Of each client.
  bool broken = false;
};

// What a run cannot go on without.
template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::cerr << "stepwell_history_recorder: " << result.status() << "\n";
    std::exit(2);
  }
  return *std::move(result);
}

// Lets other threads run between the look at a head and the commit that relies on it. Broken, it commits
// whatever the head has become.
class SharedStore final : public ForwardingStore {
 public:
  explicit SharedStore(bool broken) : broken_(broken) {}

  void Commit(CommitBatch batch, Durability durability, DoneCallback visible, DoneCallback durable) override {
    std::this_thread::yield();
    if (broken_) {
      for (BranchUpdate& update : batch.branch_updates) update.expected_head.reset();
    }
    ForwardingStore::Commit(std::move(batch), durability, std::move(visible), std::move(durable));
  }

 private:
  const bool broken_;
};

// A server of a store that others may serve, too.
class SharingServer {
 public:
  SharingServer(Store* store, ModelRepository* models)
      : engine_({}, store, models, &clock_),
        rpcs_({.listen = {"127.0.0.1:0"}}),
        states_(&engine_, kBytes, kBytes, rpcs_),
        branches_(&engine_, rpcs_) {
    const absl::Status started = rpcs_.Start();
    Must(started.ok() ? absl::StatusOr<bool>(true) : started);
  }

  // Waits for every call that runs.
  void Stop() { rpcs_.Stop(absl::Now() + absl::Minutes(1)); }

  Engine& engine() { return engine_; }
  const std::string& address() const { return rpcs_.addresses().front(); }

 private:
  SystemClock clock_;
  Engine engine_;
  server::RpcServer rpcs_;
  server::StateService states_;
  server::BranchService branches_;
};

// One client, which makes one call after the other and writes down each.
class Caller {
 public:
  Caller(const std::string& address, int number, int64_t root, uint32_t seed)
      : client_(client::Client::Connect({.address = address, .retry = {.max_attempts = 1}})),
        number_(number),
        random_(seed),
        seen_({root}) {}

  void Make(int calls) {
    for (int i = 0; i < calls; ++i) {
      // Some are given up: often when they have been done, or while they are.
      client::CallOptions options;
      if (Draw(0, 9) < 2) options.timeout = absl::Microseconds(Draw(50, 1500));
      switch (Draw(0, 9)) {
        case 0:
        case 1:
        case 2:
          Read(options);
          break;
        case 3:
        case 4:
          Move(options);
          break;
        default:
          Step(options);
      }
    }
  }

  std::vector<Json>& calls() { return calls_; }

 private:
  int Draw(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }
  int64_t DrawSeen() { return seen_[static_cast<size_t>(Draw(0, static_cast<int>(seen_.size()) - 1))]; }
  // Mostly the newest head that this client knows, which has a chance; sometimes none.
  std::optional<client::Version> DrawExpected() {
    const int drawn = Draw(0, 9);
    if (drawn < 4) return std::nullopt;
    return client::Version{drawn < 9 ? seen_.back() : DrawSeen()};
  }

  Json Begin(const char* op) const {
    return {{"client", number_}, {"op", op}, {"call", absl::GetCurrentTimeNanos()}};
  }
  void End(Json call, const absl::Status& status) {
    call["return"] = absl::GetCurrentTimeNanos();
    if (status.ok()) {
      call["outcome"] = "ok";
    } else if (absl::IsAborted(status)) {
      call["outcome"] = "moved";
      call["head"] = std::stoll(client::ErrorMetadata(status, "current_head"));
      seen_.push_back(call["head"]);
    } else if (absl::IsDeadlineExceeded(status) || absl::IsCancelled(status)) {
      call["outcome"] = "unknown";
    } else {
      call["outcome"] = "none";
      call["error"] = status.ToString();
    }
    calls_.push_back(std::move(call));
  }

  void Read(const client::CallOptions& options) {
    Json call = Begin("read");
    const auto branch = client_->GetBranch(kBranch, options);
    if (branch.ok()) {
      call["head"] = branch->head();
      seen_.push_back(branch->head());
    }
    End(std::move(call), branch.status());
  }
  void Move(const client::CallOptions& options) {
    const std::optional<client::Version> expected = DrawExpected();
    const int64_t to = DrawSeen();
    Json call = Begin("move");
    call["expected"] = expected.value_or(client::Version{}).value;
    call["to"] = to;
    const auto moved = client_->UpdateBranch(
        {.name = kBranch, .head = client::Version{to}, .expected_head = expected}, options);
    if (moved.ok()) seen_.push_back(to);
    End(std::move(call), moved.status());
  }
  void Step(const client::CallOptions& options) {
    const std::optional<client::Version> expected = DrawExpected();
    const std::string label = absl::StrCat(number_, "/", calls_.size());
    Json call = Begin("step");
    call["expected"] = expected.value_or(client::Version{}).value;
    call["label"] = label;
    const auto stepped = client_->Step({.state = client::BranchName{kBranch},
                                        .inputs = {{"x", Array::Scalar<int32_t>(1)}},
                                        .expected_head = expected,
                                        .labels = {{kCallLabel, label}}},
                                       options);
    if (stepped.ok()) {
      call["version"] = stepped->version.value;
      seen_.push_back(stepped->version.value);
    }
    End(std::move(call), stepped.status());
  }

  const std::unique_ptr<client::Client> client_;
  const int number_;
  std::mt19937 random_;
  std::vector<int64_t> seen_;  // Heads.
  std::vector<Json> calls_;
};

// What became of each labelled step, told by the snapshots that there are in the end.
std::map<std::string, const SnapshotRecord*> ByLabel(const std::vector<SnapshotInfo>& snapshots) {
  std::map<std::string, const SnapshotRecord*> made;
  for (const SnapshotInfo& snapshot : snapshots) {
    const auto label = snapshot.record->labels->find(kCallLabel);
    if (label != snapshot.record->labels->end()) made[label->second] = snapshot.record.get();
  }
  return made;
}

Json Record(const Options& options, uint32_t seed, ModelRepository* models) {
  SharedStore store(options.broken);
  SharingServer first(&store, models);
  SharingServer second(&store, models);  // The last to listen to the store: it hears of all moves.
  const auto watch = Must(Await(second.engine(), &Engine::WatchBranches, {.of = BranchName{kBranch}}));
  const auto made = Must(Await(first.engine(), &Engine::MakeState, {.model = "counter", .branch = kBranch}));
  const int64_t root = made.snapshot->version().value();

  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < options.clients; ++i) {
    const SharingServer& server = i % 2 == 0 ? first : second;
    callers.push_back(
        std::make_unique<Caller>(server.address(), i, root, seed * 1000 + static_cast<uint32_t>(i)));
  }
  std::vector<std::thread> threads;
  for (const auto& caller : callers) {
    threads.emplace_back([&caller, &options] { caller->Make(options.calls); });
  }
  for (std::thread& thread : threads) thread.join();
  first.Stop();  // Calls that were given up still run until then.
  second.Stop();
  const int64_t end = absl::GetCurrentTimeNanos();

  const auto snapshots = Must(Await(second.engine(), &Engine::ListSnapshots,
                                    {.of = ListSnapshotsRequest::Model{"counter"}, .limit = 100'000}));
  const auto by_label = ByLabel(snapshots.snapshots);
  Json run = {
      {"seed", seed}, {"root", root}, {"end", end}, {"calls", Json::array()}, {"moves", Json::array()}};
  for (const auto& caller : callers) {
    for (Json& call : caller->calls()) {
      if (call.contains("label")) {
        const auto found = by_label.find(call["label"]);
        if (found != by_label.end()) {
          call["version"] = found->second->version.value();
          call["parent"] = found->second->parent->value();
        }
      }
      run["calls"].push_back(std::move(call));
    }
  }
  // The head in the end, as one more client would read it.
  const BranchRecord branch = Must(Await(first.engine(), &Engine::GetBranch, {kBranch}));
  run["calls"].push_back({{"client", options.clients},
                          {"op", "read"},
                          {"call", end + 1},
                          {"return", end + 2},
                          {"outcome", "ok"},
                          {"head", branch.head.value()}});
  while (const std::optional<BranchNews> news = watch->Next(1000)) {
    for (const auto& [position, move] : news->moves) {
      run["moves"].push_back({{"version", move.head.value_or(Version(0)).value()},
                              {"previous", move.previous.value_or(Version(0)).value()}});
    }
  }
  return run;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Records what concurrent clients see of a branch, one line of JSON for each run.");
  app.add_option("--models", options.models, "The folder of packages, with counter")->required();
  app.add_option("--seed", options.seed, "Of the first run; the next has the next");
  app.add_option("--runs", options.runs, "How many");
  app.add_option("--clients", options.clients, "At the same time");
  app.add_option("--calls", options.calls, "Of each client");
  app.add_flag("--broken", options.broken, "The store forgets which head was expected");
  CLI11_PARSE(app, argc, argv);

  ModelRepository models({.root = options.models});
  const absl::Status loaded = models.Load("counter").status();
  Must(loaded.ok() ? absl::StatusOr<bool>(true) : loaded);
  for (int run = 0; run < options.runs; ++run) {
    std::cout << Record(options, options.seed + static_cast<uint32_t>(run), &models).dump() << std::endl;
  }
  return std::cout ? 0 : 2;
}

}  // namespace
}  // namespace stepwell::testing

int main(int argc, char** argv) { return stepwell::testing::Main(argc, argv); }
