#include "bench/interleave.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"

namespace stepwell::bench {
namespace {

// Stores a sample of one side.
absl::Status Take(Measure& measure, bool of_ours, Sample& sample) {
  const absl::StatusOr<double> value = of_ours ? measure.Ours() : measure.Ceiling();
  if (!value.ok()) return value.status();
  (of_ours ? sample.ours : sample.ceiling) = *value;
  return absl::OkStatus();
}

template <typename Of>
std::vector<double> Each(absl::Span<const Sample> samples, Of of) {
  std::vector<double> values(samples.size());
  std::ranges::transform(samples, values.begin(), of);
  return values;
}

}  // namespace

absl::StatusOr<std::vector<Sample>> Interleave(Measure& measure, int rounds) {
  std::vector<Sample> samples;
  for (int round = -1; round < rounds; ++round) {
    Sample sample{};
    const bool ours_first = round % 2 == 0;
    absl::Status taken = Take(measure, ours_first, sample);
    if (taken.ok()) taken = Take(measure, !ours_first, sample);
    if (!taken.ok()) return taken;
    if (round >= 0) samples.push_back(sample);
  }
  return samples;
}

Result Judge(const MeasureInfo& info, absl::Span<const Sample> samples) {
  const std::vector<double> ratios = Each(samples, [&info](const Sample& sample) {
    return info.is_cost ? sample.ceiling / sample.ours : sample.ours / sample.ceiling;
  });
  Result result{.id = info.id, .measure = info.title, .unit = info.unit};
  result.ours = Median(Each(samples, [](const Sample& sample) { return sample.ours; }));
  result.ceiling = Median(Each(samples, [](const Sample& sample) { return sample.ceiling; }));
  result.ratio = Median(ratios);
  result.spread = (Quantile(ratios, 0.75) - Quantile(ratios, 0.25)) / result.ratio;
  if (info.goal.kind == Goal::Kind::kRatioAtLeast) {
    result.goal = absl::StrFormat("ratio >= %.2f", info.goal.bound);
    result.holds = result.ratio >= info.goal.bound;
  } else if (info.goal.kind == Goal::Kind::kAtMost) {
    result.goal = absl::StrFormat("ours <= %.2f %s", info.goal.bound, info.unit);
    result.holds = result.ours <= info.goal.bound;
  } else {
    result.goal = absl::StrFormat("ours - ceiling <= %.2f %s", info.goal.bound, info.unit);
    result.holds = Median(Each(samples, [](const Sample& sample) { return sample.ours - sample.ceiling; })) <=
                   info.goal.bound;
  }
  return result;
}

double Quantile(std::vector<double> values, double part) {
  std::ranges::sort(values);
  const double place = part * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], place - static_cast<double>(below));
}

}  // namespace stepwell::bench
