// What a user of the `stepwell` command sees: the real command against the real server.
#include "tests/e2e/cli_fixture.h"

namespace stepwell::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::MatchesRegex;
using ::testing::Not;

namespace fs = std::filesystem;

TEST_F(CliTest, FirstSessionStepsAndForks) {
  const std::string root = Make("counter", {"--branch", "first"});
  const std::string stepped = Text({"step", "first", "--input", "x=5", "--fetch", "count"});
  EXPECT_THAT(stepped, MatchesRegex("version [0-9]+\n\ny  int32 \\(\\)\n5\n\nstate after the step:\n\n"
                                    "count  int32 \\(\\)\n5\n"));
  EXPECT_EQ(Json({"get", "first", "count"})["arrays"]["count"]["value"], 5);
  EXPECT_EQ(Text({"get", root, "count"}), absl::StrCat("version ", root, "\n\ncount  int32 ()\n0\n"));
  const json fork = Json({"step", root, "-i", "x=7", "-l", "why=fork", "-o", "y"});
  EXPECT_EQ(fork["outputs"]["y"], (json{{"dtype", "int32"}, {"shape", json::array()}, {"value", 7}}));
  const json snapshot = Json({"snapshot", fork["version"].dump()});
  EXPECT_EQ(snapshot["parent"].dump(), root);
  EXPECT_EQ(snapshot["labels"], (json{{"why", "fork"}}));
  EXPECT_THAT(Text({"snapshot", root}), HasSubstr("parent   none: a root\n"));
}

TEST_F(CliTest, CheckedStepMakesNoNaN) {
  const std::string root = Make("mixed", {"--seed", "1", "--set", "log=[[1,2]]", "--branch", "checked"});
  EXPECT_EQ(Json({"models", "mixed"})["check_finite"], false);
  ExpectError({"step", "checked", "-i", "x=[[3,Infinity]]", "--check-finite"}, 1,
              "wrote Infinity at [1, 1] of index \"log\"; expected finite numbers\n  no version was made",
              "NON_FINITE");
  EXPECT_EQ(Json({"branch", "get", "checked"})["head"].dump(), root);
  Text({"step", "checked", "-i", "x=[[3,4]]", "--check-finite"});
  Text({"step", "checked", "-i", "x=[[3,Infinity]]"});
}

TEST_F(CliTest, NothingIsKeptWhereNothingShouldBe) {
  const std::string root = Make("counter", {"-b", "dry"});
  EXPECT_THAT(Text({"step", "dry", "-i", "x=5", "--no-keep"}),
              HasSubstr(absl::StrCat("version ", root, ", which was read; no new one was made\n")));
  EXPECT_EQ(Json({"branch", "get", "dry"})["head"].dump(), root);
  const std::string norm = Make("batchnorm_ema");
  const json read = Json({"models", "batchnorm_ema"});
  ASSERT_EQ(read["methods"][1]["name"], "infer");
  EXPECT_EQ(read["methods"][1]["writes"], json::array());
  EXPECT_EQ(read["methods"][0]["appends"], json::array());
}

TEST_F(CliTest, BranchOfDigitsIsWrittenWithAnAt) {
  const std::string root = Make("counter");
  EXPECT_EQ(Json({"branch", "create", "777777", root, "--label", "a=b"})["head"].dump(), root);
  EXPECT_EQ(Json({"step", "@777777", "-i", "x=1"})["outputs"]["y"]["value"], 1);
  ExpectError({"step", "777777", "-i", "x=1"}, 1, "SNAPSHOT_UNKNOWN", "SNAPSHOT_UNKNOWN");
  EXPECT_THAT(Text({"branch", "get", "777777"}), HasSubstr("labels  a=b\n"));
}

TEST_F(CliTest, ExpectedHeadIsHeldAndTheErrorTellsTheCurrentOne) {
  const std::string root = Make("counter", {"-b", "held"});
  const std::string head = Json({"step", "held", "-i", "x=1", "--expected-head", root})["version"].dump();
  ExpectError({"step", "held", "-i", "x=1", "--expected-head", root}, 1,
              absl::StrCat("--expected-head ", head), "HEAD_MOVED");
  const Finished moved = Run({"set", "held", "count=1", "--expected-head", root, "--json"});
  EXPECT_EQ(json::parse(moved.err)["error"]["metadata"]["current_head"], head);
}

TEST_F(CliTest, InputsComeFromJsonFilesNpyAndStdin) {
  Make("counter", {"-b", "inputs"});
  std::ofstream(File("x.json")) << "5";
  EXPECT_EQ(
      Json({"step", "inputs", "-i", absl::StrCat("x=@", File("x.json").string())})["outputs"]["y"]["value"],
      5);
  EXPECT_EQ(Json({"step", "inputs", "-i", "x=@-"}, "6")["outputs"]["y"]["value"], 11);
  EXPECT_EQ(Json({"step", "inputs", "--inputs", "-"}, "{\"x\": 7}")["outputs"]["y"]["value"], 18);
  Text({"get", "inputs", "count", "--npy", File("count.npy")});
  EXPECT_EQ(Json({"step", "inputs", "-i",
                  absl::StrCat("x=@", File("count.npy").string())})["outputs"]["y"]["value"],
            36);
  EXPECT_EQ(Json({"step", "inputs", "-i", "x=@-"}, Read(File("count.npy")))["outputs"]["y"]["value"], 54);
}

TEST_F(CliTest, NpyFilesRoundTrip) {
  const std::string root = Make("gru_cell", {"--set", "hidden=[1,2,3,4,5,6,7,NaN]"});
  EXPECT_EQ(
      Text({"get", root, "hidden", "--npy", File("hidden.npy")}),
      absl::StrCat("version ", root, "\nwrote hidden, float32 (8), to ", File("hidden.npy").string(), "\n"));
  EXPECT_EQ(Text({"get", root, "hidden", "--npy", "-"}), Read(File("hidden.npy")));
  const std::string copy = Make("gru_cell", {"--set", absl::StrCat("hidden=@", File("hidden.npy").string())});
  EXPECT_EQ(Json({"get", copy})["arrays"]["hidden"]["value"], (json{1, 2, 3, 4, 5, 6, 7, "NaN"}));
  EXPECT_EQ(Text({"get", copy, "hidden", "--slice=-3:"}),
            absl::StrCat("version ", copy, "\n\nhidden  float32 (3)\n[ 6.  7. nan]\n"));
}

TEST_F(CliTest, ArraysAreChosenByIndexPositionAndSubtree) {
  const std::string root = Make("conv_batchnorm");
  const json by_index =
      Json({"get", root, "blocks[1].norm.batch_state_index[0]", "blocks[0].norm.batch_counter"});
  EXPECT_EQ(by_index["arrays"].size(), 2u);
  EXPECT_EQ(Json({"get", root, "--position", "0"})["arrays"].begin().key(), "blocks[0].norm.batch_counter");
  EXPECT_EQ(Json({"get", root, "--subtree", "blocks[1]"})["arrays"].size(), 3u);
  EXPECT_EQ(Json({"get", root})["arrays"].size(), 6u);
  const json cut = Json({"get", root, "blocks[1].norm.batch_state_index[0]", "--slice", "::2"});
  EXPECT_EQ(cut["arrays"]["blocks[1].norm.batch_state_index[0]"]["shape"], json({2}));
  const std::string set =
      Json({"set", root, "blocks[1].norm.batch_state_index[0]=[1,2,3,4]", "-l", "a=b"})["version"].dump();
  EXPECT_THAT(Text({"get", set, "blocks[1].norm.batch_state_index[0]"}), HasSubstr("[1. 2. 3. 4.]\n"));
}

TEST_F(CliTest, StatesAreCompared) {
  const std::string root = Make("conv_batchnorm", {"--branch", "compared"});
  const std::string index = "blocks[1].norm.batch_state_index[0]";
  const json before = Json({"get", root, index})["arrays"][index]["value"];
  const std::string set = Json({"set", "compared", absl::StrCat(index, "=[1,2,3,NaN]"),
                                "blocks[0].norm.batch_counter=8"})["version"]
                              .dump();
  EXPECT_EQ(
      Text({"diff", root, "compared", "--index", "blocks[0].norm.batch_counter"}),
      absl::StrCat("version ", root, " to version ", set,
                   "\n\nINDEX                         KIND     ARRAY     MAX |TO-FROM|  MEAN |TO-FROM|\n"
                   "blocks[0].norm.batch_counter  changed  int32 ()  8              8\n"));
  const json diff = Json({"diff", root, "compared"});
  EXPECT_EQ(diff["from_version"].dump(), root);
  EXPECT_EQ(diff["to_version"].dump(), set);
  EXPECT_EQ(diff["arrays"].size(), 2u);
  EXPECT_EQ(diff["arrays"][index], (json{{"kind", "CHANGED"},
                                         {"from", {{"dtype", "float32"}, {"shape", {4}}}},
                                         {"to", {{"dtype", "float32"}, {"shape", {4}}}},
                                         {"max_abs_difference", "NaN"},
                                         {"mean_abs_difference", "NaN"}}));
  EXPECT_THAT(Text({"diff", root, set, "-x", index}), HasSubstr(" changed  float32 (4)  nan  "));
  EXPECT_EQ(Json({"diff", root, set, "--all"})["arrays"].size(), 6u);
  EXPECT_EQ(Json({"diff", root, set, "--subtree", "blocks[1]", "--all"})["arrays"].size(), 3u);
  EXPECT_EQ(Json({"diff", root, set, "--position", "0"})["arrays"].begin().key(),
            "blocks[0].norm.batch_counter");
  EXPECT_EQ(Text({"diff", root, root}),
            absl::StrCat("version ", root, " to version ", root, "\n\nno array differs\n"));
  // Of another model.
  const json other = Json({"diff", Make("counter"), Make("gru_cell")});
  EXPECT_EQ(other["arrays"]["hidden"]["kind"], "ADDED");
  EXPECT_EQ(other["arrays"]["hidden"]["from"], nullptr);
  EXPECT_EQ(other["arrays"]["count"]["kind"], "REMOVED");
  EXPECT_EQ(other["arrays"]["count"]["max_abs_difference"], nullptr);
}

TEST_F(CliTest, LargeStatesAreSummarisedAndWholeInJson) {
  json rows = json::array();
  for (int i = 0; i < 600; ++i) rows.push_back({i, -i});
  std::ofstream(File("log.json")) << rows;
  const std::string root = Make(
      "mixed", {"--set", absl::StrCat("log=@", File("log.json").string()), "--seed", "18446744073709551615"});
  EXPECT_THAT(Text({"get", root, "log"}),
              HasSubstr("log  float32 (600, 2)\n[[   0.    0.]\n [   1.   -1.]\n [   2.   -2.]\n"
                        " ...\n [ 597. -597.]\n"));
  EXPECT_EQ(Json({"get", root, "log"})["arrays"]["log"]["value"][599], (json{599, -599}));
  EXPECT_EQ(Json({"get", root, "key"})["arrays"]["key"]["value"], (json{4294967295, 4294967295}));
  const std::string empty = Make("mixed", {"--set", "log=[]", "--seed", "1"});
  EXPECT_EQ(Json({"get", empty, "log"})["arrays"]["log"]["shape"], (json{0, 2}));
}

TEST_F(CliTest, ModelsAreListedAndShown) {
  const std::string list = Text({"models"});
  EXPECT_THAT(list, HasSubstr("MODEL"));
  EXPECT_THAT(list, ::testing::ContainsRegex("\ncounter +READY +1 +step +1\n"));
  EXPECT_THAT(list, ::testing::ContainsRegex("\nbroken +FAILED +- "));
  const std::string shown = Text({"models", "conv_batchnorm"});
  EXPECT_THAT(shown, HasSubstr("method infer, pure\n"));
  EXPECT_THAT(shown, HasSubstr("blocks[0].norm.batch_state_index[0]  float32 (4)  has an initial value\n"));
  EXPECT_THAT(shown, HasSubstr("sha256:"));
  const json mixed = Json({"models", "mixed"});
  EXPECT_EQ(mixed["state_spec"][0]["shape"][1], 2);
  EXPECT_EQ(mixed["state_spec"][0]["initial"], "GIVEN");
  const json broken = Json({"models", "broken"});
  EXPECT_EQ(broken["state"], "FAILED");
  const std::string error = broken["error"];
  std::istringstream lines(error);
  const std::string whole = Text({"models", "broken"});
  for (std::string line; std::getline(lines, line);) EXPECT_THAT(whole, HasSubstr(line));
}

TEST_F(CliTest, ModelsAreLoadedAndUnloaded) {
  fs::copy(STEPWELL_SOURCE_DIR "/tests/data/equinox/counter", folder_ / "models/late");
  ExpectError({"models", "late"}, 1, "MODEL_NOT_FOUND", "MODEL_NOT_FOUND");
  EXPECT_EQ(Json({"load", "late"})["revision"], 1);
  EXPECT_THAT(Text({"load", "late"}), HasSubstr("revision  1\n"));
  EXPECT_EQ(Text({"unload", "late"}), "unloaded late\n");
  ExpectError({"make", "late"}, 1, "stepwell load late", "MODEL_NOT_FOUND");
  ExpectError({"load", "broken"}, 1, "mend the package", "MODEL_INVALID");
}

TEST_F(CliTest, ServeInfoTellsHealthLatencyModelsAndServices) {
  const json info = Json({"serve-info"});
  EXPECT_EQ(info["address"], server_->address());
  EXPECT_EQ(info["health"], "SERVING");
  EXPECT_GT(info["ping_seconds"]["min"], 0.0);
  EXPECT_GE(info["ping_seconds"]["median"], info["ping_seconds"]["min"]);
  EXPECT_EQ(info["models"]["FAILED"], 1);
  EXPECT_THAT(
      info["services"].get<std::vector<std::string>>(),
      IsSupersetOf({"stepwell.v1.StateService", "stepwell.v1.ModelService", "grpc.health.v1.Health"}));
  EXPECT_THAT(Text({"serve-info"}), HasSubstr("health    SERVING\n"));
}

TEST_F(CliTest, WhatTheServerRefusesExitsWithOne) {
  const std::string root = Make("counter");
  ExpectError({"make", "nope"}, 1, "stepwell: NOT_FOUND (MODEL_NOT_FOUND): ", "MODEL_NOT_FOUND");
  ExpectError({"make", "nope", "--set", "a=1"}, 1, "`stepwell models` lists", "MODEL_NOT_FOUND");
  ExpectError({"get", "999999999"}, 1, "SNAPSHOT_UNKNOWN", "SNAPSHOT_UNKNOWN");
  ExpectError({"get", "no-such-branch"}, 1, "stepwell branch create no-such-branch VERSION",
              "BRANCH_NOT_FOUND");
  ExpectError({"get", root, "[0]"}, 1, "[0]", "INDEX_NOT_FOUND");
  ExpectError({"get", root, "--position", "9"}, 1, "OUT_OF_RANGE");
  ExpectError({"get", root, "count", "--slice", "0:4"}, 1, "INVALID_ARGUMENT");
  ExpectError({"step", root}, 1, "input \"x\"");
  ExpectError({"step", root, "-i", "x=[1,2]"}, 1, "INVALID_ARGUMENT");
  ExpectError({"set", root, "count=[1]"}, 1, "INVALID_ARGUMENT");
  ExpectError({"diff", root, "no-such-branch"}, 1, "BRANCH_NOT_FOUND", "BRANCH_NOT_FOUND");
  ExpectError({"diff", root, root, "-x", "coun"}, 1, "INDEX_NOT_FOUND", "INDEX_NOT_FOUND");
  ExpectError({"branch", "create", "bad name", root}, 1, "bad name");
  ExpectError({"make", "gru_cell", "--set", "hidden=[1]"}, 1, "INVALID_ARGUMENT");
}

TEST_F(CliTest, WrongInputExitsWithTwoAndSaysWhatIsExpected) {
  const std::string root = Make("counter", {"-b", "unmoved"});
  std::ofstream(File("bad.npy")) << "not numpy";
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "no command is given; `stepwell --help`"},
      {{"fly"}, "\"fly\" is not expected here"},
      {{"step"}, "STATE is required"},
      {{"get", root, "--sideways"}, "\"--sideways\" is not expected here; `stepwell get --help`"},
      {{"branch"}, "stepwell branch --help"},
      {{"branch", "create", "x"}, "STATE is required"},
      {{"step", "0"}, "\"0\" is no version"},
      {{"step", "unmoved", "-i", "x"}, "expected NAME=VALUE"},
      {{"step", "unmoved", "-i", "x=[1,"}, "x: no JSON"},
      {{"step", "unmoved", "-i", "x=1.5"}, "x: the value is 1.5, which does not fit int32"},
      {{"step", "unmoved", "-i", "z=1"}, "has no input \"z\"; expected x int32 ()"},
      {{"step", "unmoved", "-m", "fly", "-i", "x=1"}, "has no method \"fly\"; expected step"},
      {{"step", "unmoved", "-i", "x=@/no/such/file"}, "\"/no/such/file\" cannot be read"},
      {{"step", "unmoved", "-i", absl::StrCat("x=@", File("bad.npy").string())}, "does not begin with"},
      {{"step", "unmoved", "--inputs", "-"}, "no JSON"},
      {{"step", "unmoved", "-i", "x=@-", "--inputs", "-"}, "asked for twice"},
      {{"step", "unmoved", "-i", "x=1", "--expected-head", "live"},
       "--expected-head: \"live\" is no version"},
      {{"set", "unmoved", "nope=1"}, "has no index \"nope\"; expected count int32 ()"},
      {{"set", "unmoved"}, "ARRAY is required"},
      {{"get", root, "count", "--slice", "a:b"}, "\"a:b\""},
      {{"get", root, "--slice", "1"}, "--slice cuts an array"},
      {{"get", root, "count", "count", "--npy", File("two.npy")}, "--npy writes one array"},
      {{"get", root, "count", "--npy", "/no/such/folder/x.npy"}, "cannot be written"},
      {{"diff", root}, "TO is required"},
      {{"diff", root, "0"}, "\"0\" is no version"},
      {{"diff", root, root, "--index", "count", "--subtree", "count"}, "--index excludes --subtree"},
      {{"make", "counter", "--label", "a"}, "expected KEY=VALUE"},
      {{"make", "counter", "--seed", "many"}, "--seed"},
      {{"models", "--timeout", "soon"}, "--timeout: time \"soon\""},
  };
  for (const auto& [arguments, what] : cases) {
    SCOPED_TRACE(what);
    ExpectError(arguments, 2, what, "",
                arguments.size() > 2 && arguments.back() == "-" && arguments[2] == "-i" ? "1" : "");
  }
  EXPECT_EQ(Json({"branch", "get", "unmoved"})["head"].dump(), root);
}

TEST_F(CliTest, UnreachableServerExitsWithThree) {
  ExpectError({"models", "--server", "unix:/no/such/socket"}, 3,
              "is stepwelld running at unix:/no/such/socket?");
  ExpectError({"serve-info", "--server", "unix:/no/such/socket", "--timeout", "5"}, 3, "UNAVAILABLE");
}

TEST_F(CliTest, HelpTeachesWithExamplesAndExitsWithZero) {
  const std::string help = Text({"--help"});
  for (const char* part : {"Exit codes:", "A first session:", "serve-info", "STEPWELL_SERVER", "@NAME"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
  for (const char* command :
       {"models", "load",   "upload",  "unload", "make",     "step",   "scan",   "stream",    "batch",
        "get",    "set",    "upgrade", "diff",   "snapshot", "log",    "label",  "pin",       "unpin",
        "delete", "branch", "fork",    "watch",  "export",   "import", "backup", "serve-info"}) {
    EXPECT_THAT(Text({command, "--help"}), HasSubstr("xample")) << command;
  }
  EXPECT_THAT(Text({"--version"}), MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

// What bash offers after this much of a command line.
std::vector<std::string> Complete(const std::string& line) {
  const Finished finished = RunProgram(
      {"/bin/bash", "--norc", "-c",
       "PATH=\"$(dirname \"$1\"):$PATH\"; source \"$2\"; COMP_LINE=$3; COMP_POINT=${#3}; _stepwell; "
       "((${#COMPREPLY[@]} == 0)) || printf '%s\\n' \"${COMPREPLY[@]}\"",
       "bash", STEPWELL, STEPWELL_SOURCE_DIR "/client/cli/completion/stepwell", line});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.err, "");
  std::vector<std::string> words;
  std::istringstream lines(finished.out);
  for (std::string word; std::getline(lines, word);) words.push_back(word);
  return words;
}

TEST_F(CliTest, BashCompletesCommandsOptionsModelsAndFiles) {
  EXPECT_THAT(Complete("stepwell "),
              ElementsAre("models", "load", "upload", "unload", "make", "step", "scan", "stream", "batch",
                          "get", "set", "upgrade", "diff", "snapshot", "log", "label", "pin", "unpin",
                          "delete", "branch", "fork", "watch", "export", "import", "backup", "serve-info"));
  EXPECT_THAT(Complete("stepwell --json s"),
              ElementsAre("step", "scan", "stream", "set", "snapshot", "serve-info"));
  EXPECT_THAT(Complete("stepwell branch "),
              ElementsAre("create", "get", "list", "move", "expire", "retain", "delete"));
  EXPECT_THAT(Complete("stepwell get live --s"), ElementsAre("--server", "--slice", "--subtree"));
  EXPECT_THAT(Complete("stepwell branch create --l"), ElementsAre("--label"));
  EXPECT_THAT(Complete("stepwell --no"), ElementsAre());
  EXPECT_THAT(Complete("stepwell make co"), ElementsAre("conv_batchnorm", "counter"));
  EXPECT_THAT(Complete(absl::StrCat("stepwell --server ", server_->address(), " models gru")),
              ElementsAre("gru_cell"));
  EXPECT_THAT(Complete("stepwell --server unix:/no/such/socket models "), ElementsAre());
  EXPECT_THAT(Complete("stepwell make counter "), ElementsAre());
  EXPECT_THAT(Complete("stepwell step li"), ElementsAre());
  std::ofstream(File("only.npy")) << "";
  EXPECT_THAT(Complete(absl::StrCat("stepwell get live --npy ", File("onl").string())),
              ElementsAre(File("only.npy")));
  EXPECT_THAT(Complete(absl::StrCat("stepwell step live -i x=@", File("onl").string())),
              ElementsAre(File("only.npy")));
  EXPECT_THAT(Complete(absl::StrCat("stepwell upload --replace ", File("onl").string())),
              ElementsAre(File("only.npy")));
}

}  // namespace
}  // namespace stepwell::testing
