#include "stepwell/model/binding.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Dim kAny = {Dim::kDynamic, ""};

StateSpec MakeSpec() {
  return StateSpec({
      {{"count", DType::kInt32, {}}, GivenAtMakeState()},
      {{"mean", DType::kFloat32, {{4}}}, GivenAtMakeState()},
      {{"log", DType::kFloat32, {kAny, {2}}}, GivenAtMakeState()},
  });
}

GraphInfo MakeGraph() {
  return {.inputs = {{"mean", DType::kFloat32, {{4}}},
                     {"x", DType::kFloat32, {{4}}},
                     {"count", DType::kInt32, {}},
                     {"log", DType::kFloat32, {kAny, kAny}},
                     {"short", DType::kFloat32, {{3}}}},
          .outputs = {{"y", DType::kFloat32, {{4}}},
                      {"count.next", DType::kInt32, {}},
                      {"mean.next", DType::kFloat32, {kAny}},
                      {"log.next", DType::kFloat32, {kAny, {2}}}}};
}

class BindingTest : public ::testing::Test {
 protected:
  BoundMethod Bind(const std::string& method, const StateSpec& spec = MakeSpec(),
                   const GraphInfo& graph = MakeGraph(),
                   const absl::flat_hash_set<std::string>& without_type = {}) {
    issues_ = Issues();
    const auto text =
        ParseModelConfig(absl::StrCat("method { name: \"step\" ", method, " }"), "model.textproto", issues_);
    EXPECT_TRUE(text.has_value()) << issues_.ToStatus("m");
    return BindMethod(*text, 0, spec, without_type, "step.onnx", graph, issues_);
  }

  // Each line begins with the file, the line in it and the method.
  std::vector<std::string> Told() const {
    constexpr absl::string_view kPlace = "model.textproto:1: method \"step\": ";
    std::vector<std::string> told;
    for (const std::string& line : issues_.lines()) {
      EXPECT_THAT(line, ::testing::StartsWith(std::string(kPlace)));
      told.push_back(line.substr(kPlace.size()));
    }
    return told;
  }

  Issues issues_;
};

std::vector<std::string> Names(absl::Span<const TensorSpec> tensors) {
  std::vector<std::string> names;
  for (const TensorSpec& tensor : tensors) names.push_back(tensor.name);
  return names;
}

TEST_F(BindingTest, ConventionBindsWhenNothingIsBound) {
  const BoundMethod bound = Bind("");
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(bound.name, "step");
  EXPECT_THAT(bound.reads, ElementsAre(1, 0, 2)) << "in the graph's order";
  EXPECT_THAT(bound.writes, ElementsAre(0, 1, 2));
  EXPECT_THAT(bound.write_slots, ElementsAre(1, 2, 3));
  EXPECT_THAT(Names(bound.inputs), ElementsAre("x", "short"));
  EXPECT_THAT(Names(bound.outputs), ElementsAre("y"));
  EXPECT_THAT(bound.output_slots, ElementsAre(0));
  ASSERT_EQ(bound.feeds.size(), 5u);
  EXPECT_TRUE(bound.feeds[0].from_state);
  EXPECT_EQ(bound.feeds[0].position, 1);
  EXPECT_FALSE(bound.feeds[1].from_state);
  EXPECT_EQ(bound.feeds[1].position, 0);
  EXPECT_EQ(bound.feeds[4].position, 1);
}

TEST_F(BindingTest, ConventionHoldsTypesToo) {
  GraphInfo graph = MakeGraph();
  graph.inputs[2].dtype = DType::kInt64;
  graph.outputs[2].dims = {{5}};
  Bind("", MakeSpec(), graph);
  EXPECT_THAT(Told(),
              ElementsAre(HasSubstr("reads \"count\", int32 () in the state spec, into input \"count\" of "
                                    "\"step.onnx\", which takes int64 ()"),
                          HasSubstr("writes \"mean\", float32 (4) in the state spec, from output "
                                    "\"mean.next\" of \"step.onnx\", which gives float32 (5)")));
}

TEST_F(BindingTest, OutputNamedAppendAppendsByTheConvention) {
  GraphInfo graph = MakeGraph();
  graph.outputs = {{"log.append", DType::kFloat32, {{1}, {2}}},
                   {"mean.next", DType::kFloat32, {{4}}},
                   {"other.append", DType::kFloat32, {{1}, {2}}}};
  const BoundMethod bound = Bind("", MakeSpec(), graph);
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(bound.writes, ElementsAre(2, 1));
  EXPECT_THAT(bound.appends, ElementsAre(true, false));
  EXPECT_THAT(Names(bound.outputs), ElementsAre("other.append"));
}

TEST_F(BindingTest, WriteThatAppendsMayNameItsOutput) {
  GraphInfo graph = MakeGraph();
  graph.outputs.push_back({"log.append", DType::kFloat32, {kAny, {2}}});
  EXPECT_THAT(Bind("writes { index: \"log\" appends: true }", MakeSpec(), graph).write_slots, ElementsAre(4));
  EXPECT_THAT(Told(), IsEmpty());
  const BoundMethod bound =
      Bind("writes { index: \"log\" output: \"log.next\" appends: true } writes { index: \"count\" }");
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(bound.writes, ElementsAre(0, 2));
  EXPECT_THAT(bound.appends, ElementsAre(false, true));
}

TEST_F(BindingTest, AppendToAnArrayThatCannotGrowIsAnIssue) {
  GraphInfo graph = MakeGraph();
  graph.outputs = {{"mean.append", DType::kFloat32, {{1}}}, {"count.append", DType::kInt32, {}}};
  Bind("", MakeSpec(), graph);
  EXPECT_THAT(Told(),
              ElementsAre("appends output \"mean.append\" of \"step.onnx\" to \"mean\", float32 (4) in the "
                          "state spec; expected an outermost dimension of -1, which may grow",
                          HasSubstr("to \"count\", int32 () in the state spec; expected an outermost")));
}

TEST_F(BindingTest, AppendedRowsMustFitTheSpec) {
  GraphInfo graph = MakeGraph();
  graph.outputs = {{"log.append", DType::kFloat32, {kAny, {3}}}};
  Bind("", MakeSpec(), graph);
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("which gives float32 (?, 3); expected what fits the spec")));
}

TEST_F(BindingTest, IndexThatIsAppendedToAndWrittenIsAnIssue) {
  GraphInfo graph = MakeGraph();
  graph.outputs = {{"log.append", DType::kFloat32, {kAny, {2}}}, {"log.next", DType::kFloat32, {kAny, {2}}}};
  Bind("", MakeSpec(), graph);
  EXPECT_THAT(Told(),
              ElementsAre(HasSubstr("\"log\" is written twice, the second time from output \"log.next\"")));
}

TEST_F(BindingTest, OutputNamedLikeNoIndexIsAnOutput) {
  GraphInfo graph = MakeGraph();
  graph.outputs = {
      {"other.next", DType::kInt32, {}}, {"count", DType::kInt32, {}}, {".next", DType::kInt32, {}}};
  const BoundMethod bound = Bind("", MakeSpec(), graph);
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(Names(bound.outputs), ElementsAre("other.next", "count", ".next"));
  EXPECT_THAT(bound.writes, IsEmpty());
}

TEST_F(BindingTest, OneBindingSwitchesTheConventionOff) {
  const BoundMethod bound = Bind("reads { index: \"count\" }");
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(bound.reads, ElementsAre(0));
  EXPECT_THAT(bound.writes, IsEmpty());
  EXPECT_THAT(Names(bound.inputs), ElementsAre("mean", "x", "log", "short"));
  EXPECT_THAT(Names(bound.outputs), ElementsAre("y", "count.next", "mean.next", "log.next"));
}

TEST_F(BindingTest, BindingsNameTheirTensors) {
  const BoundMethod bound = Bind(
      "reads { index: \"mean\" input: \"x\" } reads { index: \"mean\" } writes { index: \"mean\" output: "
      "\"y\" } "
      "writes { index: \"count\" }");
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(bound.reads, ElementsAre(1)) << "distinct, though it feeds two inputs";
  EXPECT_TRUE(bound.feeds[0].from_state && bound.feeds[1].from_state);
  EXPECT_THAT(bound.writes, ElementsAre(1, 0));
  EXPECT_THAT(bound.write_slots, ElementsAre(0, 1));
  EXPECT_THAT(Names(bound.outputs), ElementsAre("mean.next", "log.next"));
}

TEST_F(BindingTest, OneOutputMayWriteSeveralIndices) {
  const StateSpec spec(
      {{{"a", DType::kInt32, {}}, GivenAtMakeState()}, {{"b", DType::kInt32, {}}, GivenAtMakeState()}});
  const BoundMethod bound = Bind(
      "writes { index: \"b\" output: \"count.next\" } writes { index: \"a\" output: \"count.next\" }", spec);
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(bound.writes, ElementsAre(1, 0));
  EXPECT_THAT(bound.write_slots, ElementsAre(1, 1));
}

TEST_F(BindingTest, IndexThatIsNotInTheSpecIsAnIssue) {
  Bind("reads { index: \"nowhere\" input: \"x\" } writes { index: \"no\\nwhere\" output: \"y\" }");
  EXPECT_THAT(
      Told(),
      ElementsAre("reads \"nowhere\", which is not in the state spec; expected one of its indices",
                  "writes \"no\\nwhere\", which is not in the state spec; expected one of its indices"));
  Bind("reads { index: \"count\" }", StateSpec());
  EXPECT_THAT(Told(),
              ElementsAre("reads \"count\", which is not in the state spec; expected none, as the model has "
                          "no state"));
}

TEST_F(BindingTest, TensorThatTheGraphDoesNotHaveIsAnIssue) {
  Bind("reads { index: \"mean\" input: \"z\" } writes { index: \"mean\" output: \"z\" }");
  EXPECT_THAT(
      Told(),
      ElementsAre(
          "reads \"mean\" into input \"z\", which \"step.onnx\" does not have; it has mean, x, count, "
          "log, short",
          "writes \"mean\" from output \"z\", which \"step.onnx\" does not have; it has y, "
          "count.next, mean.next, log.next"));
  Bind("reads { index: \"mean\" }", MakeSpec(), {});
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("it has none")));
  GraphInfo wide;
  for (int i = 0; i < 11; ++i) wide.inputs.push_back({absl::StrCat("i", i), DType::kInt32, {}});
  Bind("reads { index: \"mean\" }", MakeSpec(), wide);
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("it has i0, i1, i2, i3, i4, i5, i6, i7 and 3 more")));
}

TEST_F(BindingTest, EachWrongNameOfOneBindingIsTold) {
  Bind("reads { index: \"nowhere\" input: \"z\" } writes { index: \"nowhere\" output: \"z\" }");
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("reads \"nowhere\", which is not in the state spec"),
                                  HasSubstr("into input \"z\", which \"step.onnx\" does not have"),
                                  HasSubstr("writes \"nowhere\", which is not in the state spec"),
                                  HasSubstr("from output \"z\", which \"step.onnx\" does not have")));
}

TEST_F(BindingTest, TwoReadsIntoOneInputAreAnIssue) {
  Bind("reads { index: \"mean\" input: \"x\" } reads { index: \"mean\" input: \"x\" }");
  EXPECT_THAT(Told(),
              ElementsAre("input \"x\" is fed by two reads, the second of \"mean\"; expected at most one"));
}

TEST_F(BindingTest, TwoWritesToOneIndexAreAnIssue) {
  Bind("writes { index: \"mean\" output: \"y\" } writes { index: \"mean\" }");
  EXPECT_THAT(Told(),
              ElementsAre("index \"mean\" is written twice, the second time from output \"mean.next\"; "
                          "expected at most once"));
}

TEST_F(BindingTest, ReadMustFitWhateverTheSpecAllows) {
  const struct {
    TensorSpec input;
    const char* index;
    bool fits;
  } cases[] = {
      {{"i", DType::kFloat32, {{4}}}, "mean", true},
      {{"i", DType::kFloat32, {kAny}}, "mean", true},
      {{"i", DType::kFloat64, {{4}}}, "mean", false},
      {{"i", DType::kFloat32, {{5}}}, "mean", false},
      {{"i", DType::kFloat32, {}}, "mean", false},
      {{"i", DType::kFloat32, {{4}, {1}}}, "mean", false},
      {{"i", DType::kFloat32, {kAny, {2}}}, "log", true},
      {{"i", DType::kFloat32, {{8}, {2}}}, "log", false},  // The log may have any number of rows.
      {{"i", DType::kFloat32, {kAny, {3}}}, "log", false},
  };
  for (const auto& [input, index, fits] : cases) {
    SCOPED_TRACE(input.ToString());
    Bind(absl::StrCat("reads { index: \"", index, "\" input: \"i\" }"), MakeSpec(), {{input}, {}});
    if (fits) {
      EXPECT_THAT(Told(), IsEmpty());
    } else {
      EXPECT_THAT(Told(), ElementsAre(HasSubstr(absl::StrCat("which takes ", input.ToString()))));
    }
  }
}

TEST_F(BindingTest, WriteMayBeLessCertainThanTheSpec) {
  const struct {
    TensorSpec output;
    const char* index;
    bool fits;
  } cases[] = {
      {{"o", DType::kFloat32, {{4}}}, "mean", true},
      {{"o", DType::kFloat32, {kAny}}, "mean", true},  // Checked when it runs.
      {{"o", DType::kFloat64, {{4}}}, "mean", false},
      {{"o", DType::kFloat32, {{5}}}, "mean", false},
      {{"o", DType::kFloat32, {}}, "mean", false},
      {{"o", DType::kFloat32, {kAny, kAny}}, "mean", false},
      {{"o", DType::kFloat32, {{8}, {2}}}, "log", true},
      {{"o", DType::kFloat32, {{8}, {3}}}, "log", false},
  };
  for (const auto& [output, index, fits] : cases) {
    SCOPED_TRACE(output.ToString());
    Bind(absl::StrCat("writes { index: \"", index, "\" output: \"o\" }"), MakeSpec(), {{}, {output}});
    if (fits) {
      EXPECT_THAT(Told(), IsEmpty());
    } else {
      EXPECT_THAT(Told(), ElementsAre(HasSubstr(absl::StrCat("which gives ", output.ToString()))));
    }
  }
}

TEST_F(BindingTest, IndexWithoutTypeIsNotToldAgain) {
  Bind("reads { index: \"odd\" input: \"x\" } writes { index: \"odd\" output: \"y\" }", MakeSpec(),
       MakeGraph(), {"odd"});
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(BindingTest, EveryMismatchIsToldAtOnce) {
  Bind(
      "reads { index: \"nowhere\" input: \"x\" }\n reads { index: \"count\" input: \"gone\" }\n"
      "reads { index: \"mean\" input: \"short\" } reads { index: \"log\" input: \"short\" }\n"
      "writes { index: \"nowhere\" output: \"y\" } writes { index: \"count\" output: \"gone\" }\n"
      "writes { index: \"count\" } writes { index: \"log\" output: \"y\" }");
  EXPECT_THAT(Told(),
              ElementsAre(HasSubstr("reads \"nowhere\""), HasSubstr("into input \"gone\""),
                          HasSubstr("into input \"short\""), HasSubstr("\"short\" is fed by two reads"),
                          HasSubstr("writes \"nowhere\""), HasSubstr("from output \"gone\""),
                          HasSubstr("\"count\" is written twice"), HasSubstr("writes \"log\"")));
}

}  // namespace
}  // namespace stepwell
