#ifndef STEPWELL_TESTS_E2E_SERVER_PROCESS_H_
#define STEPWELL_TESTS_E2E_SERVER_PROCESS_H_

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/program.h"

namespace stepwell::testing {

// The real stepwelld in a process of its own; in memory unless it is given a --data-dir.
class ServerProcess {
 public:
  // Starts it on `models` with further flags and waits until it listens; the test fails when it does not.
  // `listen` is where; by default on a port of its own choice.
  explicit ServerProcess(const std::filesystem::path& models, const std::vector<std::string>& flags = {},
                         const std::string& listen = "127.0.0.1:0");
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }
  pid_t pid() const { return program_->pid(); }

  // Sends SIGTERM and waits for the end; the exit code, or the signal that ended it, below 0.
  int Stop();

  // Sends SIGKILL and waits for the end.
  void Kill();

 private:
  void Start();

  std::optional<Program> program_;
  std::string address_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_E2E_SERVER_PROCESS_H_
