#include "client/cli/interrupt.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace stepwell::cli {
namespace {

constexpr std::array<int, 2> kInterrupts = {SIGINT, SIGTERM};
constexpr char kInterrupted = 'i';
constexpr char kOver = 'o';

// A signal handler may do little more than write to a pipe.
std::array<int, 2> interrupt_pipe = {-1, -1};

void WriteToPipe(char what) {
  while (write(interrupt_pipe[1], &what, 1) < 0 && errno == EINTR) {
  }
}

void OnSignal(int /*signal*/) {
  const int error = errno;
  WriteToPipe(kInterrupted);
  errno = error;
}

void Handle(void (*handler)(int)) {
  for (const int signal : kInterrupts) {
    struct sigaction action = {};
    action.sa_handler = handler;
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace

OnInterrupt::OnInterrupt(std::function<void()> callback) {
  if (pipe(interrupt_pipe.data()) != 0) return;  // Then a signal ends the process, as ever.
  waiting_ = std::thread([callback = std::move(callback)] {
    char what = 0;
    bool called = false;
    while (true) {
      if (read(interrupt_pipe[0], &what, 1) != 1) {
        if (errno == EINTR) continue;
        return;
      }
      if (what == kOver) return;
      if (!std::exchange(called, true)) callback();
    }
  });
  Handle(OnSignal);
}

OnInterrupt::~OnInterrupt() {
  if (!waiting_.joinable()) return;
  Handle(SIG_DFL);
  WriteToPipe(kOver);
  waiting_.join();
  for (const int end : interrupt_pipe) close(end);
}

}  // namespace stepwell::cli
