#include "examples/demo/score_view.h"

#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::demo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ScoreRow Row(double seconds, int64_t version, float score) {
  ScoreRow row = {.time = absl::Seconds(seconds), .phase = "calm"};
  row.readings.fill(0.5);
  row.readings[5].reset();
  row.scored = {.version = client::Version{version}, .score = score, .z = {-score, 1}};
  return row;
}

std::vector<std::string> Lines(const std::ostringstream& out) {
  std::vector<std::string> lines = absl::StrSplit(out.str(), '\n');
  lines.pop_back();
  return lines;
}

TEST(ScoreLines, ShowTheHighestScoreOfEachSecond) {
  std::ostringstream out;
  const auto view = MakeScoreLines(out);
  view->Show(Row(0.1, 11, 1));
  view->Show(Row(0.5, 12, 7.25));
  view->Show(Row(0.9, 13, 2));
  EXPECT_EQ(out.str(), "");  // The second still runs.
  view->Show(Row(1.1, 14, 3));
  view->End();
  EXPECT_THAT(Lines(out), ElementsAre("  time  phase  version    score     cpu  iowait  switches  runnable  "
                                      "memory   reads  writes  network",
                                      "   0 s  calm        12      7.2    -7.2    +1.0      +0.0      +0.0   "
                                      " +0.0       -    +0.0     +0.0",
                                      "   1 s  calm        14      3.0    -3.0    +1.0      +0.0      +0.0   "
                                      " +0.0       -    +0.0     +0.0"));
}

TEST(ScoreLines, WithoutARowShowNothing) {
  std::ostringstream out;
  MakeScoreLines(out)->End();
  EXPECT_EQ(out.str(), "");
}

TEST(ScoreLines, HaveNoEscapeCodes) {
  std::ostringstream out;
  const auto view = MakeScoreLines(out);
  view->Show(Row(0, 1, 1));
  view->End();
  EXPECT_THAT(out.str(), Not(HasSubstr("\x1b")));
}

TEST(ScoreTable, IsWrittenOverLineByLine) {
  std::ostringstream out;
  const auto view = MakeScoreTable(out, "vitals on demo");
  view->Show(Row(1, 11, 9.5));
  const size_t first = Lines(out).size();
  EXPECT_LT(first, kScoreTableLines);
  out.str("");
  view->Show(Row(2, 12, 3));
  const std::vector<std::string> lines = Lines(out);
  EXPECT_EQ(lines.size(), first);
  EXPECT_THAT(lines[0], HasSubstr("\x1b[" + std::to_string(first) + "Avitals on demo\x1b[K"));
  for (const std::string& line : lines) EXPECT_THAT(line, HasSubstr("\x1b[K"));
}

TEST(ScoreTable, FitsTheTerminalItAsksFor) {
  std::ostringstream out;
  const auto view = MakeScoreTable(out, "vitals on demo");
  ScoreRow row = Row(123, 1234567890, 1e6);
  row.readings = {1, 1, 999.9e6, 99999, 1, 999.9e6, 999.9e6, 999.9e9};
  view->Show(row);
  for (const std::string& line : Lines(out))
    EXPECT_LE(line.size() - 3, kScoreTableColumns) << line;  // Of it "\x1b[K".
}

TEST(ScoreTable, RemembersTheHighestScore) {
  std::ostringstream out;
  const auto view = MakeScoreTable(out, "vitals on demo");
  view->Show(Row(1, 11, 9.5));
  view->Show(Row(2, 12, 3));
  EXPECT_THAT(Lines(out).back(), HasSubstr("score 3.0; the highest was 9.5 at 1.0 s, of cpu"));
}

}  // namespace
}  // namespace stepwell::demo
