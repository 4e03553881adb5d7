#ifndef STEPWELL_BENCH_INTERLEAVE_H_
#define STEPWELL_BENCH_INTERLEAVE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "bench/measure.h"

namespace stepwell::bench {

// What one round saw.
struct Sample {
  double ours;
  double ceiling;
};

// Takes `rounds` samples of both sides in turns. Which side comes first changes from round to round, so that
// a machine that grows slower favours neither; a round before them warms both up and does not count.
absl::StatusOr<std::vector<Sample>> Interleave(Measure& measure, int rounds);

// A measure's result, as it is reported.
struct Result {
  std::string id;
  std::string measure;
  std::string unit;
  double ours;     // The median of the rounds.
  double ceiling;  // The median of the rounds.

  // The median of the rounds' own ratios: ours / ceiling of rates, ceiling / ours of costs, so that 1 is the
  // ceiling and less is worse.
  double ratio;

  // How far the rounds' ratios lie apart: the distance between their quartiles, as a part of `ratio`.
  double spread;

  std::string goal;  // "ratio >= 0.70", "ours - ceiling <= 2.00 us" or "ours <= 2.00 s"
  bool holds;        // A difference is held against the median of the rounds' own.
};

// `samples` must not be empty.
Result Judge(const MeasureInfo& info, absl::Span<const Sample> samples);

// The value below which a part of `values`, 0 to 1, lies, interpolated between neighbours. `values` must not
// be empty.
double Quantile(std::vector<double> values, double part);

inline double Median(std::vector<double> values) { return Quantile(std::move(values), 0.5); }

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_INTERLEAVE_H_
