#include "client/cli/syntax.h"

#include <limits>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/error.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::cli {
namespace {

using client::BranchName;
using client::Version;
using ::testing::HasSubstr;

void ExpectBadSyntax(const absl::Status& status, const std::string& what) {
  EXPECT_EQ(ExitCode(status), kExitBadInput) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

std::string Branch(absl::string_view text) {
  const auto state = ParseStateRef(text);
  return state.ok() && std::holds_alternative<BranchName>(*state) ? std::get<BranchName>(*state).value
                                                                  : "no branch";
}

TEST(ParseStateRefTest, DigitsAreAVersionAndAnythingElseABranch) {
  EXPECT_EQ(std::get<Version>(ParseStateRef("42").value()), Version{42});
  EXPECT_EQ(std::get<Version>(ParseStateRef("9223372036854775807").value()).value, 9223372036854775807);
  EXPECT_EQ(Branch("live"), "live");
  EXPECT_EQ(Branch("@42"), "42");
  EXPECT_EQ(Branch("@live"), "live");
  EXPECT_EQ(Branch("4e2"), "4e2");
  EXPECT_EQ(Branch("a@b"), "a@b");
}

TEST(ParseStateRefTest, WhatIsNeitherIsBadInput) {
  ExpectBadSyntax(ParseStateRef("0").status(), "a branch of that name is written @0");
  ExpectBadSyntax(ParseStateRef("9223372036854775808").status(),
                  "expected a number from 1 to 9223372036854775807");
  ExpectBadSyntax(ParseStateRef("").status(), "names no state");
  ExpectBadSyntax(ParseStateRef("@").status(), "names no state");
  ExpectBadSyntax(ParseVersion("live").status(), "\"live\" is no version");
  ExpectBadSyntax(ParseVersion("-1").status(), "is no version");
}

std::string Slices(absl::string_view text) {
  const auto slices = ParseSlices(text);
  if (!slices.ok()) return "error";
  std::string out;
  for (const Slice& slice : *slices) {
    const auto bound = [](const std::optional<int64_t>& value) { return value ? absl::StrCat(*value) : ""; };
    absl::StrAppend(&out, "(", bound(slice.start), ":", bound(slice.stop), ":", bound(slice.step), ")");
  }
  return out;
}

TEST(ParseSlicesTest, ReadsWhatPythonWritesBetweenBrackets) {
  EXPECT_EQ(Slices("0:4,::2"), "(0:4:)(::2)");
  EXPECT_EQ(Slices("-3:"), "(-3::)");
  EXPECT_EQ(Slices("::-1"), "(::-1)");
  EXPECT_EQ(Slices(":, 1 : 2"), "(::)(1:2:)");
  EXPECT_EQ(Slices("2"), "(2:3:)");
  EXPECT_EQ(Slices("-1"), "(-1::)");
  EXPECT_EQ(Slices("-2"), "(-2:-1:)");
  EXPECT_EQ(Slices("9223372036854775807"), "(9223372036854775807::)");
}

TEST(ParseSlicesTest, AnythingElseIsBadInput) {
  for (const char* text :
       {"", ",", "1,", "a", "1:b", "1:2:3:4", "1.5", "1 2", "[0:4]", "...", "99999999999999999999"}) {
    ExpectBadSyntax(ParseSlices(text).status(), "START:STOP:STEP");
  }
  ExpectBadSyntax(ParseSlices("::0").status(), "step 0");
}

TEST(ParseAssignmentTest, EqualsSignWithinBracketsBelongsToTheName) {
  EXPECT_EQ(ParseAssignment("x=[1,2]").value(), std::make_pair(std::string("x"), std::string("[1,2]")));
  EXPECT_EQ(ParseAssignment("a[0]['k=v'].b=@f=g.npy").value(),
            std::make_pair(std::string("a[0]['k=v'].b"), std::string("@f=g.npy")));
  EXPECT_EQ(ParseAssignment("x=").value().second, "");
  for (const char* text : {"", "x", "=1", "x[=1]"}) {
    ExpectBadSyntax(ParseAssignment(text).status(), "expected NAME=VALUE");
  }
}

TEST(ParseLabelsTest, TakesEachKeyOnce) {
  EXPECT_EQ(ParseLabels({"a=1", "b=x=y", "c="}).value(),
            (client::Labels{{"a", "1"}, {"b", "x=y"}, {"c", ""}}));
  ExpectBadSyntax(ParseLabels({"a"}).status(), "expected KEY=VALUE");
  ExpectBadSyntax(ParseLabels({"=a"}).status(), "expected KEY=VALUE");
  ExpectBadSyntax(ParseLabels({"a=1", "a=2"}).status(), "given twice");
}

TEST(ParseDurationTest, TakesSecondsOrUnits) {
  EXPECT_EQ(ParseDuration("10").value(), absl::Seconds(10));
  EXPECT_EQ(ParseDuration("2.5").value(), absl::Milliseconds(2500));
  EXPECT_EQ(ParseDuration("500ms").value(), absl::Milliseconds(500));
  EXPECT_EQ(ParseDuration("1h30m").value(), absl::Minutes(90));
  for (const char* text : {"", "0", "-1", "nan", "inf", "soon", "10 s"}) {
    ExpectBadSyntax(ParseDuration(text).status(), "expected seconds");
  }
}

TEST(TableTest, ColumnsAreAlignedAndLinesEndWithoutBlanks) {
  Table table({"NAME", "SIZE", "NOTE"});
  table.Add({"a", "1", ""});
  table.Add({"longer", "1000", "x"});
  table.Add({"short"});
  std::ostringstream out;
  table.Write(out, "  ");
  EXPECT_EQ(out.str(), "  NAME    SIZE  NOTE\n  a       1\n  longer  1000  x\n  short\n");
}

TEST(ProgressBarTest, DrawsAfterASecondNotTooOftenAndWipesTheLine) {
  absl::Time now = absl::UnixEpoch();
  std::ostringstream out;
  {
    ProgressBar bar(&out, [&now] { return now; });
    now += absl::Milliseconds(999);
    bar.Update(1 << 20, 4 << 20);
    EXPECT_EQ(out.str(), "");
    now += absl::Milliseconds(1001);
    bar.Update(2 << 20, 4 << 20);
    EXPECT_EQ(out.str(), "\r\x1b[K[###############               ] 50%  2.0 MiB of 4.0 MiB, 1.0 MiB/s");
    now += absl::Milliseconds(99);
    bar.Update(3 << 20, 4 << 20);
    EXPECT_THAT(out.str(), ::testing::Not(HasSubstr("75%")));
    now += absl::Milliseconds(1);
    bar.Update(3 << 20, 4 << 20);
    EXPECT_THAT(out.str(), HasSubstr("75%"));
  }
  EXPECT_TRUE(absl::EndsWith(out.str(), "\r\x1b[K"));
}

TEST(ProgressBarTest, ShortTransfersAndOthersThanTerminalsSeeNothing) {
  absl::Time now = absl::UnixEpoch();
  std::ostringstream out;
  {
    ProgressBar(&out, [&now] { return now; }).Update(1, 1);
  }
  EXPECT_EQ(out.str(), "");
  ProgressBar nowhere(nullptr, [&now] { return now; });
  now += absl::Seconds(5);
  nowhere.Update(1, 2);
}

TEST(BytesToTextTest, TakesTheUnitThatFits) {
  EXPECT_EQ(BytesToText(0), "0 B");
  EXPECT_EQ(BytesToText(1023), "1023 B");
  EXPECT_EQ(BytesToText(1536), "1.5 KiB");
  EXPECT_EQ(BytesToText(std::numeric_limits<int64_t>::max()), "8388608.0 TiB");
}

TEST(ParseTime, TakesTimesFromNowAndOfTheCalendar) {
  const absl::Time now = absl::FromUnixSeconds(1'000'000);
  EXPECT_EQ(ParseTime("never", now).value(), absl::InfiniteFuture());
  EXPECT_EQ(ParseTime("90s", now).value(), now + absl::Seconds(90));
  EXPECT_EQ(ParseTime("-2h", now).value(), now - absl::Hours(2));
  EXPECT_EQ(ParseTime("1970-01-02", now).value(), absl::FromUnixSeconds(86400));
  EXPECT_EQ(ParseTime("1970-01-02T01:00:00+01:00", now).value(), absl::FromUnixSeconds(86400));
  EXPECT_EQ(ParseTime("1970-01-02T00:00:00.5Z", now).value(), absl::FromUnixMillis(86400500));
  for (const char* wrong : {"", "soon", "5", "1970-13-01", "1970-01-02T00:00:00"}) {
    EXPECT_FALSE(ParseTime(wrong, now).ok()) << wrong;
  }
}

}  // namespace
}  // namespace stepwell::cli
