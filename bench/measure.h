#ifndef STEPWELL_BENCH_MEASURE_H_
#define STEPWELL_BENCH_MEASURE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace stepwell::bench {

// Something of ours and the ceiling that it is held against: the same work without Stepwell.
// Thread-compatible.
class Measure {
 public:
  virtual ~Measure() = default;

  // One sample of each, in the measure's unit. Both take about as long, well under a second, so that what
  // disturbs the machine disturbs both.
  virtual absl::StatusOr<double> Ours() = 0;
  virtual absl::StatusOr<double> Ceiling() = 0;
};

// What a measure must reach.
struct Goal {
  enum class Kind {
    kRatioAtLeast,  // The ratio is `bound` or more.
    kAtMostOver,    // Ours is at most `bound` above the ceiling, in the measure's unit.
    kAtMost,        // Ours is at most `bound`, in the measure's unit, whatever the ceiling.
  };
  Kind kind;
  double bound;
};

struct MeasureInfo {
  std::string id;     // "unary.counter.64"
  std::string title;  // What is measured, for people.
  std::string unit;   // "calls/s"
  bool is_cost;       // Less is better: a time, not a rate.
  Goal goal;
  int rounds;                                                      // Samples of each side.
  std::function<absl::StatusOr<std::unique_ptr<Measure>>()> make;  // Sets up what the measure needs.
};

// Those of `all` whose id begins with one of `names`, in the order of `all`; every one when `names` is empty.
// INVALID_ARGUMENT: a name that no id begins with; the message lists the ids.
absl::StatusOr<std::vector<MeasureInfo>> Select(std::vector<MeasureInfo> all,
                                                absl::Span<const std::string> names);

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_MEASURE_H_
