#include "examples/demo/demo.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/demo/load_burst.h"
#include "examples/demo/proc_counters.h"
#include "examples/demo/score_view.h"
#include "examples/demo/signals.h"
#include "examples/demo/vitals.h"
#include "stepwell/client/client.h"

namespace stepwell::demo {
namespace {

using client::BranchName;
using client::Client;
using client::Version;

enum class Phase { kCalm, kBurst, kRest };

const char* NameOf(Phase phase) {
  return phase == Phase::kCalm ? "calm" : phase == Phase::kBurst ? "burst" : "rest";
}

// How many samples each phase has.
struct Plan {
  int64_t calm;
  int64_t burst;
  int64_t rest;

  int64_t all() const { return calm + burst + rest; }
  Phase PhaseOf(int64_t sample) const {
    return sample < calm ? Phase::kCalm : sample < calm + burst ? Phase::kBurst : Phase::kRest;
  }
};

Plan MakePlan(const DemoOptions& options) {
  const auto all = static_cast<int64_t>(std::llround(options.seconds * options.rate));
  return {.calm = all / 2, .burst = all / 5, .rest = all - all / 2 - all / 5};
}

int64_t SecondOfMinute() { return absl::ToCivilSecond(absl::Now(), absl::UTCTimeZone()).second(); }

class Demo {
 public:
  Demo(const DemoOptions& options, std::ostream& out, WaitUntil wait_until)
      : options_(options),
        fork_(absl::StrCat(options.branch, "-no-burst")),
        plan_(MakePlan(options)),
        out_(out),
        wait_until_(wait_until),
        client_(Client::Connect({.address = options.address, .default_timeout = absl::Seconds(5)})),
        vitals_(*client_) {}

  absl::Status Run() {
    for (const auto stage : {&Demo::Begin, &Demo::Watch, &Demo::ShowHead, &Demo::StepFork, &Demo::ScorePeak,
                             &Demo::CheckOldVersion}) {
      absl::Status status = (this->*stage)();
      if (!status.ok()) return status;
    }
    absl::Format(&out_, "\nThe branches %s and %s stay on the server as long as it runs.\n", options_.branch,
                 fork_);
    return absl::OkStatus();
  }

 private:
  absl::Status Begin() {
    const absl::StatusOr<int64_t> revision = vitals_.FindModel(options_.address);
    if (!revision.ok()) return revision.status();
    const absl::StatusOr<Version> root = vitals_.MakeState(options_.branch);
    if (!root.ok()) return root.status();
    head_ = *root;
    absl::Format(
        &out_,
        "Model vitals, revision %d, at %s; its new state is version %d, branch %s.\n"
        "%g times a second it is stepped with this machine's counters: %.1f s as they are, %.1f s under a "
        "burst\n"
        "of load from here, %.1f s at rest. z: by how many standard deviations a signal is off; score: the "
        "largest |z|.\n\n",
        *revision, options_.address, root->value, options_.branch, options_.rate, Seconds(plan_.calm),
        Seconds(plan_.burst), Seconds(plan_.rest));
    return absl::OkStatus();
  }

  absl::Status Watch() {
    const std::unique_ptr<ScoreView> view =
        options_.is_terminal ? MakeScoreTable(out_, absl::StrCat("vitals on ", options_.branch))
                             : MakeScoreLines(out_);
    std::optional<LoadBurst> burst;
    absl::Status status = StepBranch(*view, burst);
    view->End();
    if (!status.ok() || !burst.has_value()) return status;
    const LoadBurst::Report did = burst->Progress();
    absl::Format(&out_,
                 "\nThe burst: %d threads that computed, %d MiB of memory, %d MiB written and synced%s.\n",
                 did.compute_threads, did.memory_bytes >> 20, did.written_bytes >> 20,
                 did.disk.ok() ? "" : absl::StrCat(", then no more: ", did.disk.message()));
    if (!peak_.has_value() || rest_.empty()) {
      return absl::DeadlineExceededError(
          "the server was too slow to be stepped in every phase; try more --seconds");
    }
    return absl::OkStatus();
  }

  // Steps the branch with what this machine does, sample by sample. A sample that comes too late is left out.
  absl::Status StepBranch(ScoreView& view, std::optional<LoadBurst>& burst) {
    const auto period = absl::ToChronoNanoseconds(absl::Seconds(1 / options_.rate));
    const SteadyTime start = std::chrono::steady_clock::now();
    SteadyTime now = start;
    LastSecond last_second;
    last_second.Add(start, ReadCounters());
    for (int64_t sample = 0; sample < plan_.all(); sample = std::max(sample + 1, (now - start) / period)) {
      const Phase phase = plan_.PhaseOf(sample);
      if (phase == Phase::kBurst && !burst.has_value()) {
        absl::StatusOr<Moments> moments = vitals_.GetMoments(head_);
        if (!moments.ok()) return moments.status();
        before_burst_ = {head_, *moments};
        burst.emplace(LoadBurst::Options());
      }
      if (phase == Phase::kRest && burst.has_value()) burst->Stop();
      if (!wait_until_(start + (sample + 1) * period))
        return absl::CancelledError("interrupted; the load is over, and the branch stays on the server");
      now = std::chrono::steady_clock::now();
      absl::Status stepped =
          StepOnce(phase, absl::FromChrono(now - start), last_second.Add(now, ReadCounters()), view);
      if (!stepped.ok()) return stepped;
      now = std::chrono::steady_clock::now();
    }
    return absl::OkStatus();
  }

  absl::Status StepOnce(Phase phase, absl::Duration time, const Readings& readings, ScoreView& view) {
    const Observation observation = {.x = ToModel(readings), .slot = SecondOfMinute()};
    ScoreRow row = {.time = time, .phase = NameOf(phase), .readings = readings};
    const absl::StatusOr<Scored> scored = vitals_.Step(BranchName{options_.branch}, observation, &row.mean);
    if (!scored.ok()) return scored.status();
    head_ = scored->version;
    row.scored = *scored;
    view.Show(row);
    if (phase == Phase::kRest) rest_.push_back(observation);
    if (phase == Phase::kBurst) {
      burst_end_ = head_;
      if (!peak_.has_value() || scored->score > peak_->second.score) peak_ = {observation, *scored};
    }
    return absl::OkStatus();
  }

  // State arrays by index, from the branch's head.
  absl::Status ShowHead() {
    absl::StatusOr<Moments> moments = vitals_.GetMoments(BranchName{options_.branch});
    if (!moments.ok()) return moments.status();
    head_moments_ = *moments;
    absl::Format(&out_, "\nBy index, from the head of %s, version %d:\n  %-9s%d\n", options_.branch,
                 head_.value, "count", moments->count);
    WriteValues("mean", moments->mean);
    WriteValues("variance", moments->variance);
    return absl::OkStatus();
  }

  // What the model would be had there been no burst: from the version before it, straight to the rest.
  absl::Status StepFork() {
    absl::Status forked = vitals_.Fork(fork_, before_burst_.first);
    if (!forked.ok()) return forked;
    const absl::Time start = absl::Now();
    for (const Observation& observation : rest_) {
      const absl::StatusOr<Scored> scored = vitals_.Step(BranchName{fork_}, observation);
      if (!scored.ok()) return scored.status();
      fork_head_ = scored->version;
    }
    const absl::Duration took = absl::Now() - start;
    const absl::StatusOr<Moments> moments = vitals_.GetMoments(BranchName{fork_});
    if (!moments.ok()) return moments.status();
    absl::Format(&out_,
                 "\nFork: %s starts at version %d, the last before the burst, and is stepped\n"
                 "with the %d observations at rest: what the model would be had there been no burst. It took "
                 "%.0f ms.\n"
                 "Side by side:\n\n",
                 fork_, before_burst_.first.value, rest_.size(), absl::ToDoubleMilliseconds(took));
    absl::Format(&out_, "%-8s  %22s  %22s\n", "", absl::StrCat("version ", head_.value),
                 absl::StrCat("fork, version ", fork_head_.value));
    absl::Format(&out_, "%-8s  %10s  %10s  %10s  %10s\n", "signal", "mean", "variance", "mean", "variance");
    for (size_t i = 0; i < kSignalNames.size(); ++i) {
      absl::Format(&out_, "%-8s  %10.4f  %10.4f  %10.4f  %10.4f\n", kSignalNames[i], head_moments_.mean[i],
                   head_moments_.variance[i], moments->mean[i], moments->variance[i]);
    }
    absl::Format(&out_, "%-8s  %22d  %22d\n", "count", head_moments_.count, moments->count);
    return absl::OkStatus();
  }

  // One observation, put to the model as it was at four versions: none of them is gone.
  absl::Status ScorePeak() {
    const auto& [observation, scored] = *peak_;
    absl::Format(&out_,
                 "\nThe burst's highest score was %.1f, of %s, at version %d. The same observation put to "
                 "four versions\n"
                 "by the method `score`, which learns nothing:\n",
                 scored.score, kSignalNames[static_cast<size_t>(scored.LargestSignal())],
                 scored.version.value);
    const std::pair<Version, const char*> questions[] = {{before_burst_.first, "the last before the burst"},
                                                         {burst_end_, "the last of the burst: used to it"},
                                                         {head_, "the head: at rest again"},
                                                         {fork_head_, "the fork: never saw a burst"}};
    for (const auto& [version, what] : questions) {
      const absl::StatusOr<Scored> answer = vitals_.Score(version, observation);
      if (!answer.ok()) return answer.status();
      absl::Format(&out_, "  version %-7d %-36s %8.1f\n", version.value, what, answer->score);
    }
    return absl::OkStatus();
  }

  // Versions are immutable: all that was made since has left the one before the burst as it was.
  absl::Status CheckOldVersion() {
    const auto& [version, moments] = before_burst_;
    const absl::StatusOr<Moments> now = vitals_.GetMoments(version);
    if (!now.ok()) return now.status();
    if (*now != moments) {
      return absl::InternalError(
          absl::StrCat("mean and variance of version ", version.value, " have changed"));
    }
    absl::Format(
        &out_,
        "\nVersion %d, the last before the burst, is as it was: count, mean and variance bit for bit.\n",
        version.value);
    return absl::OkStatus();
  }

  void WriteValues(const char* index, const SignalValues& values) {
    absl::Format(&out_, "  %-9s", index);
    for (const float value : values) absl::Format(&out_, "%9.4f", value);
    out_ << "\n";
  }

  double Seconds(int64_t samples) const { return static_cast<double>(samples) / options_.rate; }

  const DemoOptions options_;
  const std::string fork_;
  const Plan plan_;
  std::ostream& out_;
  const WaitUntil wait_until_;
  const std::unique_ptr<Client> client_;
  Vitals vitals_;

  Version head_;       // Of the branch.
  Version burst_end_;  // The last version that the burst made.
  Version fork_head_;
  std::pair<Version, Moments> before_burst_;
  std::optional<std::pair<Observation, Scored>> peak_;  // The highest score of the burst.
  std::vector<Observation> rest_;                       // Of the phase after the burst.
  Moments head_moments_;
};

}  // namespace

absl::Status RunDemo(const DemoOptions& options, std::ostream& out, WaitUntil wait_until) {
  return Demo(options, out, wait_until).Run();
}

}  // namespace stepwell::demo
