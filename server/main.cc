// stepwelld: serves models and the states that they step. `stepwelld --help` says how.
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include "absl/synchronization/mutex.h"
#include "server/config/config.h"
#include "server/health/health_probe.h"
#include "server/server.h"
#include "server/verify.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace stepwell::server {
namespace {

constexpr int kExitUsage = 2;

// A server that takes longer to say that it serves does not serve well; a container's check waits longer than
// this.
constexpr absl::Duration kHealthTimeout = absl::Seconds(3);

int PrintHealth(const std::string& address) {
  const absl::Status health = ProbeHealth(address, kHealthTimeout);
  if (health.ok()) {
    std::cout << address << " is serving\n";
    return EXIT_SUCCESS;
  }
  std::cerr << "stepwelld: " << health.message() << "\n";
  return absl::IsInvalidArgument(health) ? kExitUsage : EXIT_FAILURE;
}

int Main(int argc, char** argv) {
  // Debian builds Abseil with assertions: every lock would first take one lock of the whole process to look
  // for cycles.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Signals are waited for below, by this thread alone; threads started later inherit the mask.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  spdlog::set_default_logger(spdlog::stderr_color_mt("stepwelld"));

  const absl::StatusOr<std::optional<Config>> config = ParseCommandLine(argc, argv);
  if (!config.ok()) {
    std::cerr << "stepwelld: " << config.status().message() << "\n";
    return kExitUsage;
  }
  if (!config->has_value()) return EXIT_SUCCESS;
  if (!(*config)->health_address.empty()) return PrintHealth((*config)->health_address);
  if ((*config)->verify) {
    return PrintVerification((*config)->data_dir, (*config)->verify_as_json, std::cout, std::cerr);
  }
  spdlog::set_level((*config)->log_level);

  absl::StatusOr<std::unique_ptr<Server>> opened = Server::Open(**config);
  if (!opened.ok()) {
    spdlog::error("{}", std::string(opened.status().message()));
    return EXIT_FAILURE;
  }
  const std::unique_ptr<Server> server = *std::move(opened);
  const absl::Status started = server->Start();
  if (!started.ok()) {
    spdlog::error("{}", std::string(started.message()));
    return EXIT_FAILURE;
  }
  for (const std::string& address : server->addresses()) std::cout << "listening on " << address << std::endl;

  int signal = 0;
  sigwait(&stop_signals, &signal);
  if (!server->Stop()) {
    spdlog::shutdown();
    std::_Exit(EXIT_FAILURE);  // A model that never returns holds what the destructor would take.
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace stepwell::server

int main(int argc, char** argv) { return stepwell::server::Main(argc, argv); }
