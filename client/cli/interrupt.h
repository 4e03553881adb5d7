#ifndef STEPWELL_CLIENT_CLI_INTERRUPT_H_
#define STEPWELL_CLIENT_CLI_INTERRUPT_H_

#include <functional>
#include <thread>

namespace stepwell::cli {

// While this lives, SIGINT and SIGTERM do not end the process: `callback` is called instead, on a thread of
// this, once. One at a time in a process.
class OnInterrupt {
 public:
  explicit OnInterrupt(std::function<void()> callback);
  ~OnInterrupt();
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;

 private:
  std::thread waiting_;
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_INTERRUPT_H_
