#ifndef STEPWELL_EXAMPLES_DEMO_SCORE_VIEW_H_
#define STEPWELL_EXAMPLES_DEMO_SCORE_VIEW_H_

#include <memory>
#include <ostream>
#include <string>

#include "absl/time/time.h"
#include "examples/demo/signals.h"
#include "examples/demo/vitals.h"

namespace stepwell::demo {

// One step, for people.
struct ScoreRow {
  absl::Duration time;  // Since the start.
  std::string phase;    // "calm", "burst" or "rest".
  Readings readings;
  SignalValues mean{};  // After the step.
  Scored scored;
};

// Shows scores as they come. Thread-compatible.
class ScoreView {
 public:
  virtual ~ScoreView() = default;
  virtual void Show(const ScoreRow& row) = 0;
  // Nothing more comes: shows what was held back.
  virtual void End() = 0;
};

// A table of the signals, written over with each row, at most 80 columns wide: for a terminal that knows the
// escape codes to move up and to clear. `title` stands above it.
std::unique_ptr<ScoreView> MakeScoreTable(std::ostream& out, std::string title);

// A line for each second, and for each phase in it, of the row with its highest score: for files, pipes and
// logs.
std::unique_ptr<ScoreView> MakeScoreLines(std::ostream& out);

// Lines and columns that a terminal must have for MakeScoreTable.
inline constexpr int kScoreTableLines = 15;
inline constexpr int kScoreTableColumns = 80;

}  // namespace stepwell::demo

#endif  // STEPWELL_EXAMPLES_DEMO_SCORE_VIEW_H_
