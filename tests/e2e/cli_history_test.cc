// Branches and histories from the command line, and the command lines of the documentation.
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "tests/e2e/cli_fixture.h"

namespace stepwell::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class CliHistoryTest : public CliTest {
 protected:
  // Steps a counter; the new version.
  static std::string Add(const std::string& state, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"step", state, "-i", "x=1"});
    return Json(more).at("version").dump();
  }
  static std::vector<std::string> Names(const json& branches) {
    std::vector<std::string> names;
    for (const json& branch : branches) names.push_back(branch.at("name"));
    return names;
  }
};

TEST_F(CliHistoryTest, LogDrawsTheTreeOfAModel) {
  const std::string root = Make("counter", {"-b", "root"});
  const std::string left = Add(root, {"-l", "side=left"}), right = Add(root);
  const std::string tip = Add(left);
  Text({"fork", tip, "tip"});
  const std::string time = "  [-0-9]+ [:0-9]+  ";
  EXPECT_THAT(Text({"log", "--model", "counter", "-n", "4"}),
              MatchesRegex(absl::StrCat("\\* ", tip, time, "step  \\(tip\\)\n",       //
                                        "\\| \\* ", right, time, "step\n",            //
                                        "\\* \\| ", left, time, "step  side=left\n",  //
                                        "\\|/\n",                                     //
                                        "\\* ", root, time, "make  \\(root\\)\n", "(… and.*\n)?")));
  const json log = Json({"log", "tip"});
  ASSERT_EQ(log.size(), 3u);
  EXPECT_EQ(log[0]["version"].dump(), tip);
  EXPECT_EQ(log[0]["branches"], json::array({"tip"}));
  EXPECT_EQ(log[2]["parent"], json());
  EXPECT_EQ(Json({"log", "tip", "--label", "side=left"})[0]["version"].dump(), left);
  EXPECT_EQ(Json({"log", "tip", "--until", "-1h"}), json::array());
  EXPECT_THAT(Text({"log", "tip", "-n", "1"}), HasSubstr("--limit shows more"));
}

TEST_F(CliHistoryTest, LogDrawsLinesPastVersionsThatAreGone) {
  const std::string root = Make("counter", {"-b", "gaps"});
  const std::string gone = Add(root), also_gone = Add(gone), tip = Add(also_gone), fork = Add(root);
  Text({"delete", gone, also_gone});
  EXPECT_THAT(Text({"log", "--model", "counter", "-n", "3"}),
              MatchesRegex(absl::StrCat("\\* ", fork, "  .*\n",     //
                                        "\\| \\* ", tip, "  .*\n",  //
                                        "\\|/\n",                   //
                                        "\\* ", root, "  .*\n(… and.*\n)?")));
}

TEST_F(CliHistoryTest, LogSaysWhatItTakes) {
  Make("counter", {"-b", "asked"});
  ExpectError({"log"}, 2, "either a STATE");
  ExpectError({"log", "asked", "--model", "counter"}, 2, "either a STATE");
  ExpectError({"log", "asked", "-n", "0"}, 2, "--limit \"0\"");
  ExpectError({"log", "asked", "--since", "soon"}, 2, "--since");
  ExpectError({"log", "nowhere"}, 1, "BRANCH_NOT_FOUND", "BRANCH_NOT_FOUND");
}

TEST_F(CliHistoryTest, BranchesAreListedMovedAndDeleted) {
  const std::string root = Make("counter", {"-b", "list/a"});
  Text({"branch", "create", "list/b", root, "--label", "why=test", "--expires", "2h"});
  const std::string one = Add("list/a");
  EXPECT_THAT(Text({"branch", "list", "list/"}),
              MatchesRegex("BRANCH +HEAD +MODEL +MOVED +EXPIRES +LABELS\n"
                           "list/a +[0-9]+ +counter +[-0-9]+ [:0-9]+ +never +none\n"
                           "list/b +[0-9]+ +counter +[-0-9]+ [:0-9]+ +[-0-9]+ [:0-9]+ +why=test\n"));
  EXPECT_EQ(Json({"branch", "move", "list/b", "list/a", "--expected-head", root})["head"].dump(), one);
  ExpectError({"branch", "move", "list/b", root, "--expected-head", root}, 1, "HEAD_MOVED", "HEAD_MOVED");
  EXPECT_EQ(Json({"branch", "expire", "list/b", "never"})["expire_time"], json());
  EXPECT_EQ(Text({"branch", "delete", "list/b"}), "deleted branch list/b\n");
  EXPECT_THAT(Names(Json({"branch", "list", "list/"})), ElementsAre("list/a"));
  ExpectError({"branch", "expire", "list/a", "soon"}, 2, "time \"soon\"");
  ExpectError({"branch", "delete", "list/b"}, 1, "BRANCH_NOT_FOUND", "BRANCH_NOT_FOUND");
}

TEST_F(CliHistoryTest, BranchIsToldWhatIsKeptOfIt) {
  const std::string root = Make("counter", {"-b", "kept"});
  EXPECT_EQ(Json({"branch", "get", "kept"})["retention"], json());
  EXPECT_THAT(
      Text({"branch", "retain", "kept", "--keep-last", "1000", "--keep-every", "100", "--max-age", "90m"}),
      HasSubstr("keeps   the last 1000, every 100 steps, younger than 1h30m\n"));
  EXPECT_EQ(Json({"branch", "get", "kept"})["retention"],
            (json{{"keep_last", 1000}, {"keep_every", 100}, {"max_age", "5400s"}}));
  EXPECT_THAT(Text({"branch", "retain", "kept", "--keep-all"}), HasSubstr("keeps   all\n"));
  EXPECT_THAT(Text({"branch", "retain", "kept", "--as-model"}), Not(HasSubstr("keeps")));
  EXPECT_EQ(Json({"fork", root, "kept/fork", "--keep-last", "2"})["retention"],
            (json{{"keep_last", 2}, {"keep_every", nullptr}, {"max_age", nullptr}}));
  ExpectError({"branch", "retain", "kept"}, 2, "--keep-last, --keep-every and --max-age");
  ExpectError({"branch", "retain", "kept", "--keep-all", "--keep-last", "2"}, 2, "alone");
  ExpectError({"branch", "retain", "kept", "--max-age", "soon"}, 2, "--max-age: time \"soon\"");
  ExpectError({"branch", "retain", "kept", "--keep-last", "0"}, 1, "retention.keep_last is 0");
}

TEST_F(CliHistoryTest, LabelsAndPinsAreWrittenOnVersionsAndBranches) {
  const std::string root = Make("counter", {"-b", "marked"});
  EXPECT_EQ(Json({"label", root, "a=1", "b=2"})["labels"], (json{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(Json({"label", root, "a=3", "--remove", "b"})["labels"], (json{{"a", "3"}}));
  EXPECT_EQ(Json({"label", "marked", "stage=test"})["labels"], (json{{"stage", "test"}}));
  EXPECT_EQ(Json({"snapshot", "marked"})["labels"], (json{{"a", "3"}}))
      << "the branch was labelled, not this";
  EXPECT_EQ(Json({"pin", "marked"})["pinned"], true);
  EXPECT_THAT(Text({"log", "marked"}), HasSubstr("pinned  a=3"));
  EXPECT_EQ(Json({"unpin", root})["pinned"], false);
  ExpectError({"label", root, "nonsense"}, 2, "nonsense");
  ExpectError({"pin", "99999999"}, 1, "SNAPSHOT_UNKNOWN", "SNAPSHOT_UNKNOWN");
}

TEST_F(CliHistoryTest, ScanStepsThroughStackedInputs) {
  const std::string root = Make("counter", {"-b", "scanned"});
  std::ofstream(File("x.json")) << "[1, 2, 3]";
  const json scanned =
      Json({"scan", "scanned", "-i", absl::StrCat("x=@", File("x.json").string()), "-k", "1", "-f", "count"});
  EXPECT_EQ(scanned["outputs"]["y"]["value"], json::array({1, 3, 6}));
  EXPECT_EQ(scanned["versions"].size(), 3u);
  EXPECT_EQ(scanned["fetched"]["count"]["value"], 6);
  const std::string file = File("y.npy").string();
  EXPECT_THAT(Text({"scan", root, "-i", "x=[5,6]", "--npy", file}),
              MatchesRegex("version [0-9]+\nwrote y, int32 \\(2\\), to .*y.npy\n"));
  EXPECT_EQ(Json({"scan", root, "-i", absl::StrCat("x=@", file)})["outputs"]["y"]["value"],
            json::array({5, 16}));
  ExpectError({"scan", root, "-i", "x=5"}, 1, "has no axis");
  ExpectError({"scan", root, "-i", "x=[1]", "-i", "z=[1]"}, 2, "no input \"z\"");
}

TEST_F(CliHistoryTest, DeletesVersionsOrSaysWhyNot) {
  const std::string root = Make("counter", {"-b", "deleting"});
  const std::string one = Add(root), two = Add(one);
  ExpectError({"delete", root, one}, 1, "is the head of branch \"deleting\"", "SNAPSHOT_IS_HEAD");
  Text({"pin", one});
  ExpectError({"delete", one}, 1, "is pinned", "SNAPSHOT_PINNED");
  Text({"unpin", one});
  EXPECT_EQ(Text({"delete", one}), "deleted 1 version, freed 4 B of arrays\n");
  ExpectError({"snapshot", one}, 1, "was deleted", "SNAPSHOT_EVICTED");
  ExpectError({"delete", "soon"}, 2, "soon");
  EXPECT_THAT(Text({"log", two}), MatchesRegex(absl::StrCat("\\* ", two, " .*\n\\* ", root, " .*\n")));
  EXPECT_EQ(Json({"delete", two})["freed_bytes"], 4);
}

TEST_F(CliHistoryTest, WatchPrintsALineForEachMove) {
  const std::string root = Make("counter", {"-b", "seen/1"});
  const std::string next = Json({"step", "seen/1", "--input", "x=1"}).at("version").dump();
  Text({"branch", "create", "seen/2", root});
  Text({"branch", "delete", "seen/2"});
  EXPECT_THAT(Text({"watch", "--prefix", "seen/", "--after", next, "--count", "2"}),
              MatchesRegex(absl::StrCat("20..-..-.. ..:..:..  seen/2  created at ", root,
                                        "\n20..-..-.. ..:..:..  seen/2  deleted at ", root, "\n")));
  const json moved = Json({"watch", "seen/1", "--after", root, "-n", "1"});
  EXPECT_EQ(moved["branch"], "seen/1");
  EXPECT_EQ(moved["version"].dump(), next);
  EXPECT_EQ(moved["previous_head"].dump(), root);
  const json deleted = Json({"watch", "seen/2", "--after-position",
                             absl::StrCat(moved["position"].get<int64_t>() + 1), "--count", "1"});
  EXPECT_TRUE(deleted["version"].is_null());
}

TEST_F(CliHistoryTest, WatchSaysWhatIsWrong) {
  Make("counter", {"-b", "unseen"});
  ExpectError({"watch", "unseen", "--after", "99999"}, 1, "watch without --after", "MOVES_FORGOTTEN");
  ExpectError({"watch", "unseen", "--prefix", "u"}, 2, "excludes");
  ExpectError({"watch", "--after", "1", "--after-position", "1"}, 2, "excludes");
  ExpectError({"watch", "--count", "0"}, 2, "--count \"0\"; expected a number, 1 or more");
  ExpectError({"watch", "--after-position", "x"}, 2, "--after-position \"x\"");
  ExpectError({"watch", "--after", "live"}, 2, "--after");
  ExpectError({"watch", "-a"}, 2, "");
}

TEST_F(CliHistoryTest, SignalEndsAWatchInOrder) {
  const std::string root = Make("counter", {"-b", "signal"});
  for (const char* signal : {"INT", "TERM"}) {
    // The first line, which tells of the first step in either round, shows that it watches.
    const Finished finished =
        RunProgram({"/bin/bash", "-c",
                    absl::StrCat("coproc \"$0\" watch signal --after ", root,
                                 "; pid=$COPROC_PID; \"$0\" step signal --input x=1"
                                 " > /dev/null; read -r line <&\"${COPROC[0]}\"; kill -",
                                 signal, " $pid; wait $pid; echo \"$? $line\""),
                    STEPWELL});
    EXPECT_THAT(finished.out, MatchesRegex(absl::StrCat("0 20.*signal  ", root, " -> .*\n"))) << finished.err;
    EXPECT_EQ(finished.err, "");
  }
}

// The command lines between backticks in the second column of the table of calls.
std::vector<std::string> DocumentedCommands() {
  std::ifstream file(STEPWELL_SOURCE_DIR "/docs/api.md");
  std::vector<std::string> commands;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() < 4) continue;
    const std::vector<std::string> parts = absl::StrSplit(cells[2], '`');
    for (size_t i = 1; i < parts.size(); i += 2) {
      if (absl::StartsWith(parts[i], "stepwell ")) commands.push_back(parts[i]);
    }
  }
  return commands;
}

TEST(DocsTest, EveryCommandOfTheApisTableRuns) {
  const fs::path folder = fs::path(::testing::TempDir()) / absl::StrCat("api_", getpid());
  fs::create_directories(folder);
  fs::copy(STEPWELL_SOURCE_DIR "/examples/models", folder / "models", fs::copy_options::recursive);
  const std::vector<std::string> flags = {"--allow-upload", "--data-dir", (folder / "data").string(),
                                          "--backup-dir", (folder / "backups").string()};
  auto server = std::make_unique<ServerProcess>(folder / "models", flags);
  setenv("STEPWELL_SERVER", server->address().c_str(), 1);
  const std::vector<std::string> commands = DocumentedCommands();
  EXPECT_GT(commands.size(), 15u);
  for (const std::string& command : commands) {
    const Finished finished = RunProgram(
        {"/bin/bash", "-c",
         absl::StrCat("PATH=\"$(dirname \"$0\"):$PATH\"; cd ", folder.string(), "; ", command), STEPWELL});
    EXPECT_EQ(finished.exit_code, 0) << command << "\n" << finished.err;
  }
  server.reset();
  fs::remove_all(folder);
}

// The commands of a guide, from its blocks marked as shell, as one script that ends at the first that goes
// wrong. A line that begins with "!" is one that must fail.
std::string ScriptOf(const fs::path& guide) {
  std::ifstream file(guide);
  std::string script = "set -e\n";
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "```")) {
      inside = line == "```sh";
    } else if (inside) {
      const bool must_fail = absl::StartsWith(line, "! ");
      absl::StrAppend(&script, must_fail ? absl::StrCat("if ", line.substr(2), "\nthen exit 9\nfi") : line,
                      "\n");
    }
  }
  return script;
}

TEST(DocsTest, EveryGuideRuns) {
  int count = 0;
  for (const auto& guide : fs::directory_iterator(STEPWELL_SOURCE_DIR "/docs/guides")) {
    const fs::path folder = fs::path(::testing::TempDir()) / guide.path().stem();
    fs::remove_all(folder);
    fs::create_directories(folder);
    fs::copy(STEPWELL_SOURCE_DIR "/examples/models", folder / "models", fs::copy_options::recursive);
    const ServerProcess server(folder / "models");
    setenv("STEPWELL_SERVER", server.address().c_str(), 1);
    const Finished finished = RunProgram(
        {"/bin/bash", "-c",
         absl::StrCat("PATH=\"$(dirname \"$0\"):$PATH\"; cd ", folder.string(), "; ", ScriptOf(guide)),
         STEPWELL});
    EXPECT_EQ(finished.exit_code, 0) << guide.path() << "\n" << finished.out << finished.err;
    fs::remove_all(folder);
    ++count;
  }
  EXPECT_GE(count, 3);
}

// `text` with # for every number, as times, versions and positions differ from one run to the next.
std::string WithoutNumbers(const std::string& text) {
  std::string masked;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      masked += c;
    } else if (masked.empty() || masked.back() != '#') {
      masked += '#';
    }
  }
  return masked;
}

// Every "    $ COMMAND" of the guide, with the lines below it, runs and prints what the guide says.
TEST(DocsTest, EveryCommandOfTheWatchingGuideDoesWhatItSays) {
  const ServerProcess server(STEPWELL_SOURCE_DIR "/examples/models");
  setenv("STEPWELL_SERVER", server.address().c_str(), 1);
  std::ifstream file(STEPWELL_SOURCE_DIR "/docs/guides/watching.md");
  std::vector<std::pair<std::string, std::string>> session;
  bool in_session = false;
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "    $ ")) {
      session.emplace_back(line.substr(6), "");
      in_session = true;
    } else if (in_session && absl::StartsWith(line, "    ")) {
      absl::StrAppend(&session.back().second, line.substr(4), "\n");
    } else {
      in_session = false;
    }
  }
  EXPECT_GE(session.size(), 6u);
  for (const auto& [command, expected] : session) {
    const Finished finished = RunProgram(
        {"/bin/bash", "-c", absl::StrCat("PATH=\"$(dirname \"$0\"):$PATH\"; ", command), STEPWELL});
    EXPECT_EQ(finished.exit_code, 0) << command << "\n" << finished.err;
    EXPECT_EQ(WithoutNumbers(finished.out), WithoutNumbers(expected)) << command;
  }
}

}  // namespace
}  // namespace stepwell::testing
