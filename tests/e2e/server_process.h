#ifndef STEPWELL_TESTS_E2E_SERVER_PROCESS_H_
#define STEPWELL_TESTS_E2E_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace stepwell::testing {

// The real stepwelld in a process of its own, on a port of its own choice; in memory unless it is given a
// --data-dir.
class ServerProcess {
 public:
  // Starts it on `models` with further flags and waits until it listens; the test fails when it does not.
  explicit ServerProcess(const std::filesystem::path& models, const std::vector<std::string>& flags = {});
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

  // Sends SIGTERM and waits for the end; the exit code, or -1 when a signal ended it.
  int Stop();

  // Sends SIGKILL and waits for the end.
  void Kill();

 private:
  void Start(const std::filesystem::path& models, const std::vector<std::string>& flags);

  pid_t pid_ = -1;
  std::FILE* lines_ = nullptr;  // Its stdout: it may say more, and must not write to a closed pipe.
  std::string address_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_E2E_SERVER_PROCESS_H_
