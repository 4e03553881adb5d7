// The harness: which measures are chosen, in which order samples are taken, how they are judged and reported.
#include <nlohmann/json.hpp>

#include "bench/interleave.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

MeasureInfo Info(std::string id, Goal goal = {Goal::Kind::kRatioAtLeast, 0.7}, bool is_cost = false) {
  return {.id = std::move(id), .title = "title", .unit = "us", .is_cost = is_cost, .goal = goal, .rounds = 1};
}

std::vector<std::string> Selected(const std::vector<std::string>& names) {
  std::vector<std::string> ids;
  const std::vector<MeasureInfo> selected =
      Select({Info("unary.counter.64"), Info("unary.counter.1"), Info("engine.gru")}, names).value();
  for (const MeasureInfo& info : selected) {
    ids.push_back(info.id);
  }
  return ids;
}

TEST(SelectTest, NoNamesSelectEveryMeasure) {
  EXPECT_THAT(Selected({}), ElementsAre("unary.counter.64", "unary.counter.1", "engine.gru"));
}

TEST(SelectTest, NamesAreIdsOrPrefixesAndKeepTheOrderOfTheMeasures) {
  EXPECT_THAT(Selected({"engine.gru", "unary.counter.1"}), ElementsAre("unary.counter.1", "engine.gru"));
  EXPECT_THAT(Selected({"unary"}), ElementsAre("unary.counter.64", "unary.counter.1"));
  EXPECT_THAT(Selected({"unary", "unary.counter.1"}), ElementsAre("unary.counter.64", "unary.counter.1"));
}

TEST(SelectTest, UnknownNameIsInvalidAndListsTheIds) {
  const std::vector<std::string> names = {"unary", "fetsh"};
  const absl::Status status = Select({Info("unary.counter.1"), Info("engine.gru")}, names).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("\"fetsh\"; expected one of unary.counter.1, engine.gru"));
}

// Tells in which order it was asked, and counts up.
class Recorder final : public Measure {
 public:
  absl::StatusOr<double> Ours() override { return Note('o'); }
  absl::StatusOr<double> Ceiling() override { return Note('c'); }
  const std::string& asked() const { return asked_; }

  size_t fails_at = 100;

 private:
  absl::StatusOr<double> Note(char side) {
    if (asked_.size() == fails_at) return absl::UnavailableError("the server went away");
    asked_ += side;
    return static_cast<double>(asked_.size());
  }
  std::string asked_;
};

TEST(InterleaveTest, SidesTakeTurnsInBeingFirstAfterAWarmUp) {
  Recorder recorder;
  const std::vector<Sample> samples = Interleave(recorder, 3).value();
  EXPECT_EQ(recorder.asked(),
            "co"
            "oc"
            "co"
            "oc");
  ASSERT_EQ(samples.size(), 3);
  EXPECT_EQ(samples[0].ours, 3);
  EXPECT_EQ(samples[0].ceiling, 4);
  EXPECT_EQ(samples[1].ceiling, 5);
  EXPECT_EQ(samples[1].ours, 6);
}

TEST(InterleaveTest, FailedSampleFailsTheMeasure) {
  Recorder recorder;
  recorder.fails_at = 5;
  const absl::Status status = Interleave(recorder, 3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(recorder.asked().size(), 5);
}

TEST(QuantileTest, LiesBetweenNeighbours) {
  EXPECT_DOUBLE_EQ(Quantile({4, 1, 3, 2, 5}, 0.5), 3);
  EXPECT_DOUBLE_EQ(Quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(Quantile({4, 1, 3, 2, 5}, 0.25), 2);
  EXPECT_DOUBLE_EQ(Quantile({10, 20}, 0.25), 12.5);
  EXPECT_DOUBLE_EQ(Quantile({10, 20}, 1), 20);
  EXPECT_DOUBLE_EQ(Quantile({7}, 0.75), 7);
}

// Ratios 0.5, 0.6, 0.7, 0.8, 1.0: one disturbed round moves the median little.
const Sample kRates[] = {{50, 100}, {120, 200}, {70, 100}, {80, 100}, {30, 30}};

TEST(JudgeTest, RatesAreHeldAgainstTheCeilingRoundByRound) {
  const Result result = Judge(Info("a"), kRates);
  EXPECT_DOUBLE_EQ(result.ours, 70);
  EXPECT_DOUBLE_EQ(result.ceiling, 100);
  EXPECT_DOUBLE_EQ(result.ratio, 0.7);
  EXPECT_DOUBLE_EQ(result.spread, (0.8 - 0.6) / 0.7);
  EXPECT_EQ(result.goal, "ratio >= 0.70");
  EXPECT_TRUE(result.holds);
  EXPECT_FALSE(Judge(Info("a", {Goal::Kind::kRatioAtLeast, 0.71}), kRates).holds);
}

TEST(JudgeTest, RatioOfCostsIsBelowOneWhenOursCostsMore) {
  const Sample costs[] = {{4, 3}, {4, 2}, {4, 1}};
  const Result result = Judge(Info("a", {Goal::Kind::kAtMostOver, 2}, /*is_cost=*/true), costs);
  EXPECT_DOUBLE_EQ(result.ratio, 0.5);
  EXPECT_EQ(result.goal, "ours - ceiling <= 2.00 us");
  EXPECT_TRUE(result.holds);
  EXPECT_FALSE(Judge(Info("a", {Goal::Kind::kAtMostOver, 1.9}, /*is_cost=*/true), costs).holds);
}

TEST(ReportTest, JsonHoldsEveryFieldOfEveryResult) {
  const Result results[] = {Judge(Info("first"), kRates),
                            Judge(Info("second \"quoted\"", {Goal::Kind::kRatioAtLeast, 0.9}), kRates)};
  const nlohmann::json parsed = nlohmann::json::parse(Json(results));
  ASSERT_EQ(parsed.size(), 2);
  EXPECT_EQ(parsed[0], (nlohmann::json{{"id", "first"},
                                       {"measure", "title"},
                                       {"unit", "us"},
                                       {"ours", 70.0},
                                       {"ceiling", 100.0},
                                       {"ratio", results[0].ratio},
                                       {"spread", results[0].spread},
                                       {"goal", "ratio >= 0.70"},
                                       {"holds", true}}));
  EXPECT_EQ(parsed[1]["id"], "second \"quoted\"");
  EXPECT_EQ(parsed[1]["holds"], false);
  EXPECT_EQ(nlohmann::json::parse(Json({})), nlohmann::json::array());
}

TEST(ReportTest, TableShowsEveryColumn) {
  const Result results[] = {Judge(Info("first"), kRates)};
  EXPECT_EQ(Table(results),
            "id    | measure | ours     | ceiling   | ratio | spread | goal          | holds\n"
            "first | title   | 70.00 us | 100.00 us | 0.70  | 29%    | ratio >= 0.70 | yes\n");
}

}  // namespace
}  // namespace stepwell::bench
