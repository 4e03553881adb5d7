#include "bench/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace stepwell::bench {

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  FILE* lines = fdopen(out[0], "r");
  char line[512] = "";
  if (error == 0 && std::fgets(line, sizeof(line), lines) == nullptr) line[0] = '\0';
  std::fclose(lines);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", arguments[0]));

  std::unique_ptr<ChildProcess> child(new ChildProcess(pid));
  absl::string_view said = line;
  if (!absl::ConsumePrefix(&said, "listening on ")) {
    return absl::UnavailableError(
        absl::StrCat(arguments[0], " did not say where it listens; its log is above"));
  }
  child->address_ = std::string(absl::StripSuffix(said, "\n"));
  return child;
}

ChildProcess::~ChildProcess() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

void ChildProcess::Kill() {
  kill(pid_, SIGKILL);
  waitpid(std::exchange(pid_, 0), nullptr, 0);
}

}  // namespace stepwell::bench
