#include "examples/demo/score_view.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace stepwell::demo {
namespace {

class ScoreTable final : public ScoreView {
 public:
  ScoreTable(std::ostream& out, std::string title) : out_(out), title_(std::move(title)) {}

  void Show(const ScoreRow& row) override {
    if (!highest_.has_value() || row.scored.score > highest_->scored.score) highest_ = row;
    std::string text = absl::StrFormat("%s\n%5.1f s  %-5s  version %d\n\n%-8s  %10s  %10s  %8s\n", title_,
                                       absl::ToDoubleSeconds(row.time), row.phase, row.scored.version.value,
                                       "signal", "now", "mean", "z");
    for (int i = 0; i < kSignalCount; ++i) AppendSignal(row, i, text);
    absl::StrAppendFormat(&text, "\nscore %.1f; the highest was %.1f at %.1f s, of %s\n", row.scored.score,
                          highest_->scored.score, absl::ToDoubleSeconds(highest_->time),
                          kSignalNames[static_cast<size_t>(highest_->scored.LargestSignal())]);
    Draw(text);
  }
  void End() override {}

 private:
  static void AppendSignal(const ScoreRow& row, int signal, std::string& text) {
    constexpr float kLongestBar = 30;
    const auto i = static_cast<size_t>(signal);
    if (!row.readings[i].has_value()) {
      absl::StrAppendFormat(&text, "%-8s  %10s\n", kSignalNames[i], "-");
      return;
    }
    const float z = row.scored.z[i];
    const auto bar = static_cast<size_t>(std::lround(std::min(std::abs(z), kLongestBar)));
    absl::StrAppendFormat(&text, "%-8s  %10s  %10s  %+8.1f  %s\n", kSignalNames[i],
                          FormatReading(signal, *row.readings[i]),
                          FormatReading(signal, FromModel(signal, row.mean[i])), z, std::string(bar, '#'));
  }

  // Over what was drawn before: up to its first line, and each line cleared up to its end.
  void Draw(absl::string_view text) {
    if (lines_ > 0) absl::Format(&out_, "\x1b[%dA", lines_);
    lines_ = 0;
    absl::ConsumeSuffix(&text, "\n");
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      absl::Format(&out_, "%s\x1b[K\n", line);
      ++lines_;
    }
    out_.flush();
  }

  std::ostream& out_;
  const std::string title_;
  std::optional<ScoreRow> highest_;
  int lines_ = 0;
};

class ScoreLines final : public ScoreView {
 public:
  explicit ScoreLines(std::ostream& out) : out_(out) {}

  void Show(const ScoreRow& row) override {
    if (held_.has_value() && Second(row) == Second(*held_) && row.phase == held_->phase) {
      if (row.scored.score > held_->scored.score) held_ = row;
      return;
    }
    End();
    held_ = row;
  }

  void End() override {
    if (!held_.has_value()) return;
    if (!began_) WriteHead();
    began_ = true;
    absl::Format(&out_, "%4d s  %-5s  %7d  %7.1f", Second(*held_), held_->phase, held_->scored.version.value,
                 held_->scored.score);
    for (size_t i = 0; i < kSignalNames.size(); ++i) {
      const int width = ColumnWidth(i);
      if (held_->readings[i].has_value()) {
        absl::Format(&out_, "  %+*.1f", width, held_->scored.z[i]);
      } else {
        absl::Format(&out_, "  %*s", width, "-");
      }
    }
    out_ << std::endl;  // Flushed: whoever reads the pipe sees each second as it comes.
    held_.reset();
  }

 private:
  static int64_t Second(const ScoreRow& row) { return absl::ToInt64Seconds(row.time); }
  static int ColumnWidth(size_t signal) { return std::max(6, static_cast<int>(kSignalNames[signal].size())); }

  void WriteHead() {
    absl::Format(&out_, "%6s  %-5s  %7s  %7s", "time", "phase", "version", "score");
    for (size_t i = 0; i < kSignalNames.size(); ++i)
      absl::Format(&out_, "  %*s", ColumnWidth(i), kSignalNames[i]);
    out_ << "\n";
  }

  std::ostream& out_;
  std::optional<ScoreRow> held_;  // The highest of the second and phase that run.
  bool began_ = false;
};

}  // namespace

std::unique_ptr<ScoreView> MakeScoreTable(std::ostream& out, std::string title) {
  return std::make_unique<ScoreTable>(out, std::move(title));
}

std::unique_ptr<ScoreView> MakeScoreLines(std::ostream& out) { return std::make_unique<ScoreLines>(out); }

}  // namespace stepwell::demo
