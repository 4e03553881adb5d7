// `stepwell batch`: a line of a file for each state.
#include "absl/strings/str_split.h"
#include "tests/e2e/cli_fixture.h"

namespace stepwell::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class CliBatchTest : public CliTest {
 protected:
  static std::vector<json> Answers(const std::string& text) {
    std::vector<json> answers;
    for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      answers.push_back(json::parse(line));
    }
    return answers;
  }
  static int64_t Count(const std::string& state) {
    return Json({"get", state, "count"})["arrays"]["count"]["value"];
  }
};

TEST_F(CliBatchTest, EveryLineIsAStepOfItsState) {
  const std::string root = Make("counter");
  Make("counter", {"-b", "7th"});
  const std::string lines =
      absl::StrCat("{\"state\": ", root, ", \"inputs\": {\"x\": 5}}\n\n",
                   "{\"state\": \"@7th\", \"method\": \"step\", \"inputs\": {\"x\": 2}}");
  std::ofstream(File("tick.jsonl")) << lines;
  const std::vector<json> answers =
      Answers(Text({"batch", File("tick.jsonl").string(), "--label", "why=tick"}));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0]["outputs"]["y"]["value"], 5);
  EXPECT_EQ(answers[1]["outputs"]["y"]["value"], 2);
  EXPECT_EQ(Json({"snapshot", "@7th"})["version"], answers[1]["version"]);
  EXPECT_EQ(Json({"snapshot", "@7th"})["labels"]["why"], "tick");
}

TEST_F(CliBatchTest, WrongLinesFailAloneAndInTheirPlace) {
  Make("counter", {"-b", "alone"});
  const std::string input =
      "{\"state\": \"alone\", \"inputs\": {\"x\": 1}}\n"
      "nonsense\n"
      "{\"inputs\": {\"x\": 1}}\n"
      "{\"state\": \"alone\", \"input\": {\"x\": 1}}\n"
      "{\"state\": \"alone\", \"method\": \"nope\"}\n"
      "{\"state\": \"nowhere\", \"inputs\": {\"x\": 1}}\n"
      "{\"state\": \"alone\"}\n";
  const Finished finished = Run({"batch"}, input);
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, HasSubstr("6 of 7 steps failed, the first on line 2: "));
  const std::vector<json> answers = Answers(finished.out);
  ASSERT_EQ(answers.size(), 7u) << finished.out;
  EXPECT_EQ(answers[0]["outputs"]["y"]["value"], 1);
  const char* messages[] = {"JSON",
                            "no JSON object of a step",
                            "\"input\": ",
                            "has no method \"nope\"",
                            "\"nowhere\" does not exist",
                            "input \"x\" of method \"step\" is missing"};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_THAT(std::string(answers[i + 1]["error"]["message"]), HasSubstr(messages[i]));
  }
  EXPECT_EQ(Count("alone"), 1);
}

TEST_F(CliBatchTest, AllOrNothing) {
  Make("counter", {"-b", "first"});
  Make("counter", {"-b", "second"});
  const std::string good =
      "{\"state\": \"second\", \"inputs\": {\"x\": 1}}\n{\"state\": \"first\", \"inputs\": {\"x\": 2}}\n";
  for (int i = 0; i < 2; ++i) {
    const std::vector<json> answers =
        Answers(Text({"batch", "--all-or-nothing", "--request-id", "once"}, good));
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[1]["outputs"]["y"]["value"], 2);
  }
  EXPECT_EQ(Count("second"), 1);

  const Finished refused = Run({"batch", "--all-or-nothing"}, good + "{\"state\": \"first\"}\n");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("steps 1 and 2 of the batch are both on branch \"first\""));
  Make("counter", {"-b", "third"});
  const Finished none = Run({"batch", "--all-or-nothing"}, good + "{\"state\": \"third\"}\n");
  EXPECT_EQ(none.exit_code, 1);
  const std::vector<json> answers = Answers(none.out);
  ASSERT_EQ(answers.size(), 3u) << none.out << none.err;
  EXPECT_EQ(answers[0]["error"]["reason"], "BATCH_NOT_COMMITTED");
  EXPECT_EQ(answers[0]["error"]["metadata"]["step"], "2");
  EXPECT_EQ(answers[2]["error"]["code"], "INVALID_ARGUMENT");
  ExpectError({"batch", "--all-or-nothing"}, 2, "1 of 3 steps failed, the first on line 3", "",
              good + "[]\n");
  EXPECT_EQ(Count("second"), 1);
  EXPECT_EQ(Count("first"), 2);
}

TEST_F(CliBatchTest, WhatIsNoBatchSaysWhy) {
  ExpectError({"batch"}, 2, "no line tells a step", "", "\n");
  ExpectError({"batch", File("gone.jsonl").string()}, 2, "cannot be read");
}

}  // namespace
}  // namespace stepwell::testing
