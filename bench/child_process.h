#ifndef STEPWELL_BENCH_CHILD_PROCESS_H_
#define STEPWELL_BENCH_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace stepwell::bench {

// A server in a process of its own, which ends with this object. Thread-compatible.
class ChildProcess {
 public:
  // Starts the program arguments[0] and waits until it prints "listening on ADDRESS". UNAVAILABLE: it cannot
  // be started, or ends without saying so.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(std::vector<std::string> arguments);

  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

  // Ends it at once, wherever it is.
  void Kill();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;  // 0 when it has been killed.
  std::string address_;
};

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_CHILD_PROCESS_H_
