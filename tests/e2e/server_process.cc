#include "tests/e2e/server_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace stepwell::testing {
namespace {

constexpr char kListening[] = "listening on ";

}  // namespace

ServerProcess::ServerProcess(const std::filesystem::path& models, const std::vector<std::string>& flags) {
  Start(models, flags);
}

void ServerProcess::Start(const std::filesystem::path& models, const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {STEPWELLD,     "--models",    models.string(), "--listen",
                                        "127.0.0.1:0", "--log-level", "error"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  if (std::ranges::find(flags, "--data-dir") == flags.end()) arguments.push_back("--in-memory");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  const int spawned = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  ASSERT_EQ(spawned, 0) << "cannot start " << argv[0];

  lines_ = fdopen(out[0], "r");
  char line[512];
  if (std::fgets(line, sizeof(line), lines_) != nullptr && absl::StartsWith(line, kListening)) {
    address_ = std::string(line + sizeof(kListening) - 1);
    address_.resize(address_.find('\n'));
  }
  ASSERT_FALSE(address_.empty()) << argv[0] << " did not say where it listens; its log is above";
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    EXPECT_EQ(Stop(), 0);
  }
  if (lines_ != nullptr) std::fclose(lines_);
}

void ServerProcess::Kill() {
  kill(pid_, SIGKILL);
  EXPECT_EQ(waitpid(pid_, nullptr, 0), pid_);
  pid_ = -1;
}

int ServerProcess::Stop() {
  kill(pid_, SIGTERM);
  int status = 0;
  EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace stepwell::testing
