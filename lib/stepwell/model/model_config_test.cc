#include "stepwell/model/model_config.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The one issue of a text that does not parse.
std::string IssueOf(absl::string_view text) {
  Issues issues;
  EXPECT_FALSE(ParseModelConfig(text, "model.textproto", issues).has_value());
  EXPECT_EQ(issues.lines().size(), 1u);
  return issues.empty() ? "" : issues.lines()[0];
}

TEST(ModelConfig, PartsAreFoundAgainByTheirLines) {
  Issues issues;
  const auto text = ParseModelConfig(
      "# A comment\nname: \"m\"\nstate { index: \"a\" }\n\nstate {\n index: \"b\" } method { name: \"step\" "
      "}\n"
      "method {\nname: \"infer\"\n}",
      "model.textproto", issues);
  ASSERT_TRUE(text.has_value());
  EXPECT_TRUE(issues.empty());
  EXPECT_THAT(text->state_lines, ElementsAre(3, 5));
  EXPECT_THAT(text->method_lines, ElementsAre(6, 7));
  EXPECT_EQ(text->StatePlace(1), "model.textproto:5: state \"b\"");
  EXPECT_EQ(text->MethodPlace(1), "model.textproto:7: method \"infer\"");
}

TEST(ModelConfig, NamesInPlacesArePrintable) {
  Issues issues;
  const auto text = ParseModelConfig("state { index: \"a\\nb\" }", "f", issues);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->StatePlace(0), "f:1: state \"a\\nb\"");
}

TEST(ModelConfig, UnknownFieldIsAnIssueWithItsLine) {
  const std::string issue = IssueOf("name: \"m\"\nstate { index: \"a\"\n  colour: \"red\" }");
  EXPECT_THAT(issue, StartsWith("model.textproto:3:"));
  EXPECT_THAT(issue, HasSubstr("colour"));
}

TEST(ModelConfig, WhatIsNoTextOfTheSchemaIsAnIssueWithItsLine) {
  EXPECT_THAT(IssueOf("state { index: \"a\" dtype: FLOAT31 }"), HasSubstr("FLOAT31"));
  EXPECT_THAT(IssueOf("state {\n"), StartsWith("model.textproto:2:1: "));
  EXPECT_THAT(IssueOf("name: 7"), StartsWith("model.textproto:1:7: "));
  EXPECT_THAT(IssueOf("\n\nname: \"a\" name: \"b\""), StartsWith("model.textproto:3:"));
  EXPECT_THAT(IssueOf("state { zeros {} given {} }"), HasSubstr("given"));
  EXPECT_THAT(IssueOf("state { shape: [1.5] }"), StartsWith("model.textproto:1:17: "));
  EXPECT_THAT(IssueOf("state { shape: 9223372036854775808 }"), StartsWith("model.textproto:1:16: "));
}

TEST(ModelConfig, TextThatIsNoUtf8IsAnIssue) {
  EXPECT_THAT(IssueOf("description: \"\\377\""), HasSubstr("UTF-8"));
  EXPECT_THAT(IssueOf("description: \"\xFF\""), HasSubstr("UTF-8"));
  EXPECT_THAT(IssueOf("method { name: \"step\" reads { index: \"\\300\" } }"), HasSubstr("UTF-8"));
  Issues issues;
  EXPECT_TRUE(ParseModelConfig("description: \"\xC3\xA9\"", "f", issues).has_value());
}

TEST(ModelConfig, EmptyTextHasNoParts) {
  Issues issues;
  const auto text = ParseModelConfig("", "f", issues);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->config.state_size() + text->config.method_size(), 0);
}

}  // namespace
}  // namespace stepwell
