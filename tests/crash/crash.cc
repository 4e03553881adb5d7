// Kills the real stepwelld (SIGKILL) again and again while clients change all that its store keeps, and holds
// what it finds at each start against what it had answered: checker.h says what is owed, load.cc what is
// done.
//
// What this cannot show: after a kill, the machine still writes what the process gave it. What a loss of
// power takes is tested in lib/stepwell/storage/rocksdb_faults_test.cc, over a file system that forgets what
// was not synced.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "tests/crash/checker.h"
#include "tests/crash/load.h"
#include "tests/crash/patience.h"
#include "tests/crash/served_state.h"
#include "tests/e2e/program.h"

namespace stepwell::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kCyclesBetweenFullChecks = 25;

struct Options {
  std::string stepwelld;
  std::string models;
  std::string work;
  int cycles = 100;
  uint32_t seed = 0;
  int cycles_per_store = 100;
  int most_answers = 400;
};

class Crashes {
 public:
  explicit Crashes(const Options& options) : options_(options), random_(options.seed) {}
  ~Crashes() {
    if (log_ >= 0) close(log_);
  }

  absl::Status Run() {
    const absl::Time start = absl::Now();
    fs::create_directories(work() / "models");
    for (const char* model : kModels) fs::copy(fs::path(options_.models) / model, work() / "models" / model);
    int told = 0;
    while (kills_ < options_.cycles) {
      if (cycle_++ % options_.cycles_per_store == 0) {
        const absl::Status begun = BeginStore();
        if (!begun.ok()) return begun;
      }
      const absl::Status status = Cycle();
      if (!status.ok()) return status;
      if (kills_ % 10 == 0 && std::exchange(told, kills_) != kills_) {
        std::cerr << "crash: " << Summary(start) << ", " << ledger_.snapshots.size()
                  << " versions in store\n";
      }
    }
    ++cycle_;  // The last run is looked at as all others are.
    const absl::Status ended = EndStore();
    if (!ended.ok()) return ended;
    std::cout << "crash: " << Summary(start) << std::endl;
    return absl::OkStatus();
  }

  int cycle() const { return cycle_; }

 private:
  fs::path work() const { return options_.work; }
  unsigned Draw(unsigned below) { return random_() % below; }
  void Pause(unsigned most_micros) { absl::SleepFor(absl::Microseconds(Draw(most_micros + 1))); }

  std::string Summary(absl::Time start) const {
    return absl::StrCat("seed ", options_.seed, ": ", kills_, " kills under load (", kills_while_stopping_,
                        " while stopping), ", kills_while_starting_, " while starting, ", stops_, " stops; ",
                        counts_.sync_versions, " sync and ", counts_.async_versions, " async steps checked, ",
                        counts_.rereads, " read again, ", counts_.lost_versions, " async steps lost as ",
                        counts_.suffixes, " suffixes, ", counts_.unanswered_versions,
                        " kept without an answer; 0 lost or altered, 0 stores that failed to open; ",
                        absl::ToInt64Seconds(absl::Now() - start), " s");
  }

  absl::Status BeginStore() {
    const absl::Status ended = EndStore();
    if (!ended.ok()) return ended;
    fs::remove_all(work() / "data");
    ledger_ = {};
    return absl::OkStatus();
  }

  // A last look at everything there is.
  absl::Status EndStore() {
    if (!operations_.has_value()) return absl::OkStatus();
    absl::Status status = Start();
    if (status.ok()) status = Look(true);
    if (!status.ok()) return status;
    operations_.reset();
    server_->Signal(SIGTERM);
    return server_->Wait() == 0 ? absl::OkStatus()
                                : absl::DataLossError("the server did not end with 0 on SIGTERM");
  }

  void Spawn() {
    if (log_ < 0)
      log_ = open((work() / "server.log").c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);
    server_.emplace(std::vector<std::string>{options_.stepwelld, "--models", (work() / "models").string(),
                                             "--listen", "127.0.0.1:0", "--data-dir",
                                             (work() / "data").string(), "--log-level", "warning"},
                    -1, log_);
  }

  absl::Status Start() {
    while (Draw(10) == 0) {
      Spawn();
      Pause(150'000);
      server_->Signal(SIGKILL);
      server_->Wait();
      ++kills_while_starting_;
    }
    Spawn();
    if (!server_->is_started()) return absl::DataLossError(absl::StrCat("cannot start ", options_.stepwelld));
    const std::string line = server_->ReadLine().value_or("");
    absl::string_view address = line;
    if (!absl::ConsumePrefix(&address, "listening on ")) {
      return absl::DataLossError("the store failed to open: server.log says why");
    }
    address_ = std::string(address);
    return absl::OkStatus();
  }

  // Checks what the server has.
  absl::Status Look(bool everything) {
    ServedState served(address_, {std::begin(kModels), std::end(kModels)});
    auto checked = Check(ledger_, operations_.value_or(std::vector<Operation>()),
                         {.cycle = cycle_ - 1, .ended_by_itself = ended_by_itself_, .everything = everything},
                         served, random_, counts_);
    if (!checked.ok()) return checked.status();
    ledger_ = std::move(checked->ledger);
    repeatable_ = std::move(checked->repeatable);
    return absl::OkStatus();
  }

  absl::Status Cycle() {
    absl::Status status = Start();
    if (status.ok()) status = Look(cycle_ % kCyclesBetweenFullChecks == 0);
    if (!status.ok()) return status;
    Journal journal(last_id_);
    absl::Status ended;
    {
      Load load(address_, &ledger_, &journal, MakePlan(ledger_, cycle_, random_), random_);
      if (load.Prepare(std::move(repeatable_))) {
        const int answers = static_cast<int>(Draw(static_cast<unsigned>(options_.most_answers)));
        const int clients = load.Start();
        if (!journal.Await(answers, clients, kStandstill)) {
          journal.Fail(absl::StrCat("before it was killed, the server was gone, or did not answer for ",
                                    absl::FormatDuration(kStandstill)));
        }
      }
      Pause(3000);
      ended = End();
    }
    if (!ended.ok()) return ended;
    last_id_ = journal.last_id();
    if (const auto failures = journal.failures(); !failures.empty()) {
      return absl::DataLossError(absl::StrJoin(failures, "\n"));
    }
    operations_ = journal.Take();
    return absl::OkStatus();
  }

  absl::Status End() {
    const unsigned how = Draw(10);
    if (how <= 1) server_->Signal(SIGTERM);
    ended_by_itself_ = how == 0;
    if (ended_by_itself_) {
      ++stops_;
      const int ended = server_->Wait();
      ended_by_itself_ = ended == 0;
      if (ended == 0 || ended == EXIT_FAILURE)
        return absl::OkStatus();  // The latter when calls took too long.
      return absl::DataLossError(absl::StrCat("the server ended with ", ended, " on SIGTERM"));
    }
    if (how == 1) Pause(30'000);
    kills_while_stopping_ += how == 1 ? 1 : 0;
    ++kills_;
    server_->Signal(SIGKILL);
    const int ended = server_->Wait();
    if (ended == -SIGKILL || (how == 1 && ended == 0)) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("the server ended with ", ended, " before it was killed"));
  }

  const Options options_;
  std::mt19937 random_;
  int log_ = -1;
  std::optional<Program> server_;
  std::string address_;

  int cycle_ = 0;
  Ledger ledger_;
  std::optional<std::vector<Operation>> operations_;  // Of the run before, on this store.
  bool ended_by_itself_ = false;
  std::vector<Repeatable> repeatable_;
  int64_t last_id_ = 0;

  CheckCounts counts_;
  int kills_ = 0;  // Of servers that listened.
  int kills_while_starting_ = 0;
  int kills_while_stopping_ = 0;
  int stops_ = 0;
};

int Main(int argc, char** argv) {
  Options options;
  options.seed = std::random_device()();
  CLI::App app("Kills stepwelld under load, again and again, and checks that it has what it owes.");
  app.add_option("--stepwelld", options.stepwelld, "The server")->required();
  app.add_option("--models", options.models,
                 "The folder with the packages counter, gru and attention_decoder")
      ->required();
  app.add_option("--cycles", options.cycles, "How often it is killed while clients are at work")
      ->capture_default_str();
  app.add_option("--seed", options.seed,
                 "What is done; not when, which differs each time. Default: another each time");
  app.add_option("--cycles-per-store", options.cycles_per_store,
                 "After how many starts the next store begins")
      ->capture_default_str();
  app.add_option("--most-answers", options.most_answers,
                 "The server is killed after so many answers, or fewer")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::string work = (fs::temp_directory_path() / "stepwell_crash_XXXXXX").string();
  if (mkdtemp(work.data()) == nullptr) {
    std::cerr << "crash: no directory in " << fs::temp_directory_path() << "\n";
    return 2;
  }
  options.work = work;
  Crashes crashes(options);
  std::cerr << "crash: seed " << options.seed << ", in " << work << "\n";
  const absl::Status status = crashes.Run();
  if (status.ok()) {
    fs::remove_all(work);
    return 0;
  }
  std::cout << "crash: seed " << options.seed << ", cycle " << crashes.cycle() << ": " << status.message()
            << "\n"
            << "The store is in " << work << "/data, the server's log beside it." << std::endl;
  return 1;
}

}  // namespace
}  // namespace stepwell::testing

int main(int argc, char** argv) { return stepwell::testing::Main(argc, argv); }
