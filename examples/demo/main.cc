// stepwell-demo: watches this machine through the model `vitals` on a Stepwell server. `stepwell-demo --help`
// says how.
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "examples/demo/demo.h"
#include "examples/demo/score_view.h"

namespace stepwell::demo {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;  // As a shell tells of SIGINT.

constexpr char kDescription[] =
    "Watches this machine with a model that learns, and forks it.\n"
    "\n"
    "Reads /proc ten times a second (CPU, tasks, memory, disks, network) and steps the model\n"
    "`vitals` with it, on a new branch of the Stepwell server at --server: each step scores how\n"
    "unusual this moment is, learns from it and makes a new version of the model's state. Half\n"
    "of the time is calm, then comes a burst of load that this program makes itself (it computes\n"
    "on every CPU, writes and syncs 64 MiB, takes 256 MiB of memory), then rest.\n"
    "\n"
    "Then it reads mean and variance by index, forks from the version before the burst, steps\n"
    "the fork as if there had been no burst, and prints both side by side.";

constexpr char kExample[] =
    "Example:\n"
    "  stepwelld --models examples/models &\n"
    "  stepwell-demo --seconds 20\n"
    "\n"
    "On a terminal, a table is written over; otherwise there is a line a second, without escape codes.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong arguments, 130 ended by SIGINT or SIGTERM.";

// SIGINT and SIGTERM, for this thread alone to wait for: threads started after this inherit the mask.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // False when one of them came before `time`.
  bool WaitUntil(SteadyTime time) const {
    while (true) {
      const auto left = std::max(time - std::chrono::steady_clock::now(), SteadyTime::duration::zero());
      const timespec timeout = absl::ToTimespec(absl::FromChrono(left));
      if (sigtimedwait(&signals_, nullptr, &timeout) > 0) return false;
      if (std::chrono::steady_clock::now() >= time) return true;
    }
  }

 private:
  sigset_t signals_;
};

// Whether standard output is a terminal that the table fits on.
bool ShowsTable() {
  const char* const type = std::getenv("TERM");
  winsize size{};
  return isatty(STDOUT_FILENO) != 0 && type != nullptr && std::string(type) != "dumb" &&
         ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row >= kScoreTableLines &&
         size.ws_col >= kScoreTableColumns;
}

int Main(int argc, char** argv) {
  const StopSignals stop_signals;
  absl::BitGen random;
  DemoOptions options = {.address = "127.0.0.1:7350",
                         .branch = absl::StrFormat("demo-%06x", absl::Uniform(random, 0, 1 << 24))};
  CLI::App app(kDescription, "stepwell-demo");
  app.add_option("--server", options.address, "HOST:PORT or unix:PATH. Default 127.0.0.1:7350")
      ->type_name("ADDRESS");
  app.add_option("--seconds", options.seconds,
                 "How long to watch: half of it calm, a fifth burst. Default 30")
      ->type_name("N")
      ->check(CLI::Range(2.0, 50.0));
  app.add_option("--rate", options.rate, "Samples a second. Default 10")
      ->type_name("N")
      ->check(CLI::Range(5.0, 100.0));
  app.add_option("--branch", options.branch,
                 "Branch to create; the fork is NAME-no-burst. Default: demo- and six random digits")
      ->type_name("NAME");
  app.footer(kExample);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::cerr << "stepwell-demo: " << error.what() << "; stepwell-demo --help lists the flags\n";
    return kExitUsage;
  }
  options.is_terminal = ShowsTable();

  const absl::Status status =
      RunDemo(options, std::cout, [&](SteadyTime time) { return stop_signals.WaitUntil(time); });
  if (status.ok()) return EXIT_SUCCESS;
  std::cout.flush();
  std::cerr << "stepwell-demo: " << status.message() << "\n";
  return absl::IsCancelled(status) ? kExitInterrupted : EXIT_FAILURE;
}

}  // namespace
}  // namespace stepwell::demo

int main(int argc, char** argv) { return stepwell::demo::Main(argc, argv); }
