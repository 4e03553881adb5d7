// `stepwell stream`: JSON lines in, JSON lines out, also over a network that breaks.
#include <algorithm>

#include "absl/strings/str_split.h"
#include "tests/e2e/cli_fixture.h"
#include "tests/e2e/tcp_proxy.h"

namespace stepwell::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class CliStreamTest : public CliTest {
 protected:
  static std::vector<json> Lines(const std::string& text) {
    std::vector<json> lines;
    for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      lines.push_back(json::parse(line));
    }
    return lines;
  }
};

TEST_F(CliStreamTest, EveryLineIsAStepFromWhereTheOneBeforeEnded) {
  const std::string root = Make("counter", {"-b", "lines"});
  const std::vector<json> answers = Lines(
      Text({"stream", "lines", "--fetch", "count", "--label", "why=test"}, "{\"x\": 5}\n\n{\"x\": 2}\n"));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0]["outputs"]["y"]["value"], 5);
  EXPECT_EQ(answers[1]["outputs"]["y"]["value"], 7);
  EXPECT_EQ(answers[1]["fetched"]["count"]["value"], 7);
  const json head = Json({"snapshot", "lines"});
  EXPECT_EQ(head["version"], answers[1]["version"]);
  EXPECT_EQ(head["parent"], answers[0]["version"]);
  EXPECT_EQ(head["labels"]["why"], "test");
  // On a version, as a fork; the last line need not end.
  EXPECT_EQ(Lines(Text({"stream", root}, "{\"x\": 1}"))[0]["outputs"]["y"]["value"], 1);
  EXPECT_EQ(Text({"stream", "lines"}), "");
  EXPECT_EQ(Lines(Text({"stream", "lines", "--no-keep"}, "{\"x\": 1}"))[0]["version"], head["version"]);
}

TEST_F(CliStreamTest, LineThatIsNoStepFailsAloneAndInItsPlace) {
  Make("counter", {"-b", "badlines"});
  const Finished finished =
      Run({"stream", "badlines"}, "{\"x\": 1}\nnonsense\n{\"z\": 1}\n{\"x\": 1.5}\n[1]\n{}\n{\"x\": 1}\n");
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, HasSubstr("5 of 7 steps failed, the first on line 2: "));
  const std::vector<json> answers = Lines(finished.out);
  ASSERT_EQ(answers.size(), 7u) << finished.out;
  EXPECT_EQ(answers[0]["outputs"]["y"]["value"], 1);
  const char* messages[] = {"JSON", "has no input \"z\"", "x: the value is 1.5", "JSON object of inputs",
                            "input \"x\" of method \"step\" is missing"};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(answers[i + 1]["error"]["code"], "INVALID_ARGUMENT");
    EXPECT_THAT(std::string(answers[i + 1]["error"]["message"]), HasSubstr(messages[i]));
  }
  EXPECT_EQ(answers[6]["outputs"]["y"]["value"], 2);
}

TEST_F(CliStreamTest, WhatCannotBeginSaysWhy) {
  const std::string root = Make("counter", {"-b", "begin"});
  ExpectError({"stream", "nowhere"}, 1, "BRANCH_NOT_FOUND", "BRANCH_NOT_FOUND");
  ExpectError({"stream", "begin", "--method", "nope"}, 2, "nope");
  ExpectError({"stream", "begin", "--expected-head", absl::StrCat(root, "0")}, 1, "HEAD_MOVED", "HEAD_MOVED");
  ExpectError({"stream", "begin", "--server", "127.0.0.1:1", "--timeout", "2"}, 3, "UNAVAILABLE");
}

// More than goes in one message: through WriteArrays.
TEST_F(CliStreamTest, SetTakesArraysOfAnySize) {
  Make("mixed", {"-b", "large", "--set", "log=[[1,2]]", "--seed", "1"});
  constexpr int kRows = 200'000;
  const std::string header =
      absl::StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (", kRows, ", 2), }");
  std::string npy("\x93NUMPY\x01\x00", 8);
  const size_t padded = (10 + header.size() + 1 + 63) / 64 * 64 - 10;
  npy += {static_cast<char>(padded & 0xff), static_cast<char>(padded >> 8)};
  npy += header + std::string(padded - header.size() - 1, ' ') + "\n";
  npy += std::string(size_t{kRows} * 2 * sizeof(float), '\0');
  std::ofstream(File("large.npy"), std::ios::binary) << npy;
  const std::string log = absl::StrCat("log=@", File("large.npy").string());
  const json set = Json({"set", "large", log, "--label", "why=size", "--request-id", "once"});
  EXPECT_EQ(set["snapshot"]["labels"], (json{{"why", "size"}}));
  EXPECT_EQ(Json({"set", "large", log, "--label", "why=size", "--request-id", "once"})["version"],
            set["version"]);
  EXPECT_EQ(Text({"get", "large", "log", "--npy", File("read.npy").string()}),
            absl::StrCat("version ", set["version"].dump(), "\nwrote log, float32 (200000, 2), to ",
                         File("read.npy").string(), "\n"));
  EXPECT_EQ(Read(File("read.npy")).size(), npy.size());
  ExpectError({"set", "nowhere", log}, 1, "BRANCH_NOT_FOUND", "BRANCH_NOT_FOUND");
}

// Every cut falls where the server has said so much on a connection, wherever in a message that is.
TEST_F(CliStreamTest, CutConnectionsLoseNothingAndRepeatNothing) {
  constexpr size_t kLines = 100'000;
  constexpr int kCuts = 5;
  const std::string root = Make("counter", {"-b", "cut"});
  TcpProxy proxy(server_->address());
  proxy.CutAfterReplies(4 * kLines + 3, kCuts);  // A line's reply has over five times as many.
  std::string input;
  for (size_t i = 0; i < kLines; ++i) absl::StrAppend(&input, "{\"x\": 1}\n");
  const Finished finished = Run({"stream", "cut", "--server", proxy.address()}, input);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(proxy.cuts_after_replies(), kCuts);

  std::vector<std::string> versions = {root};
  for (const absl::string_view line : absl::StrSplit(finished.out, '\n', absl::SkipEmpty())) {
    const json answer = json::parse(line);
    ASSERT_EQ(answer["outputs"]["y"]["value"], versions.size()) << line;
    versions.push_back(answer["version"].dump());
  }
  EXPECT_EQ(versions.size(), kLines + 1);
  EXPECT_EQ(Json({"snapshot", "cut"})["step_count"], kLines);
  EXPECT_EQ(Json({"get", "cut", "count"})["arrays"]["count"]["value"], kLines);
  // What was answered is what happened: the branch's history, newest first, a line each.
  std::vector<std::string> history;
  for (const absl::string_view line :
       absl::StrSplit(Text({"log", "cut", "--limit", absl::StrCat(2 * kLines)}), '\n', absl::SkipEmpty())) {
    history.emplace_back(line.substr(2, line.find(' ', 2) - 2));
  }
  std::reverse(history.begin(), history.end());
  EXPECT_TRUE(history == versions);
}

}  // namespace
}  // namespace stepwell::testing
