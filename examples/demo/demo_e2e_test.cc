// The real stepwell-demo against a real server, as a user runs them.
#include <fcntl.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/client/client.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {
namespace {

using client::BranchName;
using client::Client;
using client::IndexPath;
using client::Version;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kModels[] = STEPWELL_SOURCE_DIR "/examples/models";

// The demo in a process of its own. What it says on standard output comes through `output`; standard error
// goes to a file.
class DemoProcess {
 public:
  // With `terminal`, standard output is one.
  explicit DemoProcess(const std::vector<std::string>& flags, bool terminal = false)
      : error_file_(absl::StrCat(::testing::TempDir(), "stepwell_demo_", getpid(), ".err")) {
    Start(flags, terminal);
  }
  ~DemoProcess() {
    close(output_);
    unlink(error_file_.c_str());
  }
  DemoProcess(const DemoProcess&) = delete;
  DemoProcess& operator=(const DemoProcess&) = delete;

  // Waits for more output, or the end, and returns all so far.
  const std::string& ReadMore() {
    char part[4096];
    const ssize_t size = read(output_, part, sizeof(part));  // A terminal ends with EIO, a pipe with 0.
    if (size > 0) out_.append(part, static_cast<size_t>(size));
    ended_ = size <= 0;
    return out_;
  }

  void Signal(int signal) const { kill(pid_, signal); }

  // Reads to the end and returns the exit code; -1 when a signal ended it.
  int Wait() {
    while (!ended_) ReadMore();
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    std::ifstream file(error_file_);
    error_.assign(std::istreambuf_iterator<char>(file), {});
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  bool ended() const { return ended_; }
  const std::string& out() const { return out_; }
  const std::string& error() const { return error_; }

 private:
  void Start(const std::vector<std::string>& flags, bool terminal) {
    std::vector<std::string> arguments = {STEPWELL_DEMO};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int ends[2] = {-1, -1};
    if (terminal) {
      OpenTerminal(ends);
    } else {
      ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    }
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error_file_.c_str(),
                                     O_CREAT | O_WRONLY | O_TRUNC, 0600);
    const int spawned = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    ASSERT_EQ(spawned, 0) << "cannot start " << argv[0];
  }

  static void OpenTerminal(int* ends) {
    setenv("TERM", "xterm", 1);
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_GE(ends[0], 0);
    ASSERT_EQ(grantpt(ends[0]), 0);
    ASSERT_EQ(unlockpt(ends[0]), 0);
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_GE(ends[1], 0);
    const winsize size = {.ws_row = 40, .ws_col = 100};
    ASSERT_EQ(ioctl(ends[1], TIOCSWINSZ, &size), 0);
  }

  const std::string error_file_;
  pid_t pid_ = -1;
  int output_ = -1;
  bool ended_ = false;
  std::string out_;
  std::string error_;
};

// The number that `pattern`'s only group takes in `text`.
int64_t Number(const std::string& text, const std::string& pattern) {
  std::smatch match;
  int64_t number = -1;
  if (!std::regex_search(text, match, std::regex(pattern)) || !absl::SimpleAtoi(match[1].str(), &number)) {
    ADD_FAILURE() << "no \"" << pattern << "\" in:\n" << text;
  }
  return number;
}

// `version` and those before it, the newest first.
std::vector<int64_t> Ancestors(Client& client, int64_t version) {
  std::vector<int64_t> ancestors;
  while (true) {
    ancestors.push_back(version);
    const auto snapshot = client.GetSnapshot(Version{version});
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    if (!snapshot.ok() || !snapshot->has_parent()) return ancestors;
    version = snapshot->parent();
  }
}

// A state array of 8, as the demo prints it.
std::string Printed(Client& client, const std::string& branch, const std::string& index) {
  const auto arrays = client.GetArrays({.state = BranchName{branch}, .selectors = {{IndexPath{index}, {}}}});
  EXPECT_TRUE(arrays.ok()) << arrays.status();
  std::string text;
  if (!arrays.ok()) return text;
  const absl::Span<const float> values = arrays->arrays.at(0).second.As<float>().value();
  for (const float value : values) absl::StrAppendFormat(&text, "%9.4f", value);
  return text;
}

TEST(Demo, ShowsScoresThenArraysByIndexThenAFork) {
  const ServerProcess server(kModels);
  DemoProcess demo({"--server", server.address(), "--seconds", "4", "--branch", "shown"});
  ASSERT_EQ(demo.Wait(), 0) << demo.error() << demo.out();
  const std::string& out = demo.out();
  EXPECT_THAT(demo.error(), "");
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(out, HasSubstr(absl::StrCat("Model vitals, revision 1, at ", server.address())));
  for (const char* phase : {"calm", "burst", "rest"}) {
    Number(out, absl::StrCat("\n +\\d+ s  ", phase, " +(\\d+) +[0-9.]+ +[+-][0-9.]+ "));
  }

  // What it printed is what the server has.
  const auto client = Client::Connect({.address = server.address()});
  EXPECT_EQ(client->GetBranch("shown")->head(), Number(out, "head of shown, version (\\d+):"));
  EXPECT_THAT(out, HasSubstr(absl::StrCat("mean     ", Printed(*client, "shown", "mean"))));
  EXPECT_THAT(out, HasSubstr(absl::StrCat("variance ", Printed(*client, "shown", "variance"))));

  // The fork leaves the branch at the version before the burst, and has stepped what came after it.
  const int64_t start = Number(out, "shown-no-burst starts at version (\\d+)");
  const int64_t steps = Number(out, "with the (\\d+) observations at rest");
  const std::vector<int64_t> branch = Ancestors(*client, client->GetBranch("shown")->head());
  const std::vector<int64_t> fork = Ancestors(*client, client->GetBranch("shown-no-burst")->head());
  EXPECT_EQ(std::count(branch.begin(), branch.end(), start), 1);
  EXPECT_EQ(std::find(fork.begin(), fork.end(), start) - fork.begin(), steps);
  EXPECT_LT(fork.size(), branch.size());
  EXPECT_EQ(Number(out, "fork, version (\\d+)\n"), fork.front());
  EXPECT_EQ(Number(out, "\ncount +\\d+ +(\\d+)\n"), static_cast<int64_t>(fork.size()) - 1);
  for (const char* what : {"the last before the burst", "the last of the burst", "the head", "the fork"}) {
    Number(out, absl::StrCat("version (\\d+) +", what, ".* [0-9.]+\n"));
  }
  EXPECT_THAT(out, HasSubstr(absl::StrCat("Version ", start, ", the last before the burst, is as it was")));
}

TEST(Demo, OnATerminalIsATableThatIsWrittenOver) {
  const ServerProcess server(kModels);
  DemoProcess demo({"--server", server.address(), "--seconds", "2"}, true);
  ASSERT_EQ(demo.Wait(), 0) << demo.error() << demo.out();
  EXPECT_THAT(demo.out(), HasSubstr("\x1b["));
  EXPECT_THAT(demo.out(), HasSubstr("score "));
  EXPECT_THAT(demo.out(), HasSubstr("is as it was"));
}

TEST(Demo, EndsWhenItIsInterrupted) {
  const ServerProcess server(kModels);
  DemoProcess demo({"--server", server.address(), "--seconds", "50"});
  while (!demo.ended() && demo.ReadMore().find("  calm  ") == std::string::npos) {
  }
  demo.Signal(SIGINT);
  EXPECT_EQ(demo.Wait(), 130);
  EXPECT_THAT(demo.error(), HasSubstr("interrupted"));
  EXPECT_THAT(demo.out(), Not(HasSubstr("  burst  ")));
}

TEST(Demo, WithoutAServerSaysHowToStartOne) {
  std::string address;
  {
    const ServerProcess server(kModels);
    address = server.address();
  }
  DemoProcess demo({"--server", address});
  EXPECT_EQ(demo.Wait(), 1);
  EXPECT_THAT(demo.error(), HasSubstr(absl::StrCat("no server answers at ", address,
                                                   "; start one: stepwelld --models examples/models")));
  EXPECT_EQ(demo.out(), "");
}

TEST(Demo, OfAServerWithoutTheModelSaysWhichFolderHasIt) {
  const ServerProcess server(STEPWELL_SOURCE_DIR "/tests/data/equinox");
  DemoProcess demo({"--server", server.address()});
  EXPECT_EQ(demo.Wait(), 1);
  EXPECT_THAT(demo.error(), HasSubstr("has no model \"vitals\""));
  EXPECT_THAT(demo.error(), HasSubstr("stepwelld --models examples/models"));
}

TEST(Demo, OfABranchThatExistsSaysWhatToDo) {
  const ServerProcess server(kModels);
  const auto client = Client::Connect({.address = server.address()});
  ASSERT_TRUE(client->MakeState({.model = "vitals", .branch = "taken"}).ok());
  DemoProcess demo({"--server", server.address(), "--branch", "taken"});
  EXPECT_EQ(demo.Wait(), 1);
  EXPECT_THAT(demo.error(), HasSubstr("branch \"taken\" exists; name another with --branch"));
}

TEST(Demo, OfWrongFlagsSaysWhichAndWhatIsExpected) {
  DemoProcess seconds({"--seconds", "0.5"});
  EXPECT_EQ(seconds.Wait(), 2);
  EXPECT_THAT(seconds.error(), HasSubstr("--seconds: Value 0.5 not in range 2"));
  DemoProcess unknown({"--colour"});
  EXPECT_EQ(unknown.Wait(), 2);
  EXPECT_THAT(unknown.error(), HasSubstr("--colour"));
}

TEST(Demo, HelpTeaches) {
  DemoProcess demo({"--help"});
  EXPECT_EQ(demo.Wait(), 0);
  for (const char* what : {"--server", "--seconds", "--rate", "--branch", "Example:", "Exit codes"}) {
    EXPECT_THAT(demo.out(), HasSubstr(what));
  }
}

}  // namespace
}  // namespace stepwell::testing
