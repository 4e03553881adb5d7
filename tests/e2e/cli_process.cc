#include "tests/e2e/cli_process.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "gtest/gtest.h"

namespace stepwell::testing {
namespace {

// A file of its own for one stream of one process: unlike a pipe, it never fills up.
class StreamFile {
 public:
  explicit StreamFile(const std::string& content = "") {
    file_ = std::tmpfile();
    EXPECT_NE(file_, nullptr);
    std::fwrite(content.data(), 1, content.size(), file_);
    std::rewind(file_);
  }
  ~StreamFile() { std::fclose(file_); }
  StreamFile(const StreamFile&) = delete;
  StreamFile& operator=(const StreamFile&) = delete;

  int descriptor() const { return fileno(file_); }

  std::string Content() {
    std::rewind(file_);
    std::string content;
    char part[4096];
    while (const size_t size = std::fread(part, 1, sizeof(part), file_)) content.append(part, size);
    return content;
  }

 private:
  std::FILE* file_;
};

}  // namespace

Finished RunProgram(const std::vector<std::string>& arguments, const std::string& input) {
  StreamFile in(input);
  StreamFile out;
  StreamFile err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.descriptor(), STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid;
  const int spawned = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) {
    ADD_FAILURE() << "cannot start " << argv[0];
    return {};
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out.Content(), err.Content()};
}

}  // namespace stepwell::testing
