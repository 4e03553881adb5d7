#ifndef STEPWELL_TESTS_E2E_PROGRAM_H_
#define STEPWELL_TESTS_E2E_PROGRAM_H_

#include <fcntl.h>
#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace stepwell::testing {

// A program in a process of its own, whose standard output is read. Thread-compatible.
class Program {
 public:
  // Starts the program at arguments[0]; is_started() tells whether that went well. It reads from the file
  // `in` and writes errors to `err`; -1: as this process does.
  explicit Program(std::vector<std::string> arguments, int in = -1, int err = -1);
  // Sends SIGKILL to a program that nobody has waited for.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  bool is_started() const { return out_ != nullptr; }
  pid_t pid() const { return pid_; }  // -1: it was waited for.

  // The next line that it writes, without its end. Nothing: it has closed its output.
  std::optional<std::string> ReadLine();

  // Sends a signal, until it was waited for.
  void Signal(int signal) const;

  // Waits for its end: the exit code, or the signal that ended it, below 0.
  int Wait();

 private:
  pid_t pid_ = -1;
  std::FILE* out_ = nullptr;
};

inline Program::Program(std::vector<std::string> arguments, int in, int err) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  if (err >= 0) posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  const int spawned = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  if (spawned == 0) {
    out_ = fdopen(out[0], "r");
  } else {
    pid_ = -1;
    close(out[0]);
  }
}

inline Program::~Program() {
  if (pid_ > 0) {
    Signal(SIGKILL);
    Wait();
  }
  if (out_ != nullptr) std::fclose(out_);
}

inline std::optional<std::string> Program::ReadLine() {
  char* line = nullptr;
  size_t room = 0;
  const ssize_t size = getline(&line, &room, out_);
  std::optional<std::string> read;
  if (size > 0) read.emplace(line, line[size - 1] == '\n' ? size - 1 : size);
  std::free(line);
  return read;
}

inline void Program::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);  // Where there is none, it would go to every process.
}

inline int Program::Wait() {
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, 0);
  pid_ = -1;
  if (ended > 0 && WIFEXITED(status)) return WEXITSTATUS(status);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : -1;
}

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_E2E_PROGRAM_H_
