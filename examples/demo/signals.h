#ifndef STEPWELL_EXAMPLES_DEMO_SIGNALS_H_
#define STEPWELL_EXAMPLES_DEMO_SIGNALS_H_

#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/demo/proc_counters.h"

namespace stepwell::demo {

// The signals that the model `vitals` is given, in the order of its arrays.
inline constexpr int kSignalCount = 8;
inline constexpr std::array<absl::string_view, kSignalCount> kSignalNames = {
    "cpu", "iowait", "switches", "runnable", "memory", "reads", "writes", "network"};

// One number per signal, as the model takes and returns them.
using SignalValues = std::array<float, kSignalCount>;

// What was measured, in units for people: fractions, numbers a second, bytes a second. Absent where this
// machine does not say.
using Readings = std::array<std::optional<double>, kSignalCount>;

// What happened between two looks at the counters, `elapsed` (positive) apart. A counter that ran
// backwards, as when a disk was taken out, reads as 0.
Readings Measure(const Counters& before, const Counters& after, absl::Duration elapsed);

// The counters of the last second: rates over all of it are steadier than those from one look to the next,
// where the ticks of CPU time are as coarse as what they measure. Thread-compatible.
class LastSecond {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // What happened from the oldest counters within the second before `now` until `counters`. Times must grow
  // from call to call; of the first, rates are absent.
  Readings Add(Time now, const Counters& counters);

 private:
  std::deque<std::pair<Time, Counters>> looks_;
};

// What the model is given: fractions as they are, all else as log1p(value / unit), where unit is what a quiet
// machine does (1000 switches a second, one runnable task, 10 MB a second). Rates span orders of magnitude,
// and on a quiet machine a z-score of the bare number would call every small file that is written an anomaly.
// An absent reading is 0 and so never one.
SignalValues ToModel(const Readings& readings);

// The reading that the model is given as `value`.
double FromModel(int signal, float value);

// As people read it: "43.1 %", "12.3 k/s", "4", "1.2 MB/s". At most ten characters.
std::string FormatReading(int signal, double reading);

}  // namespace stepwell::demo

#endif  // STEPWELL_EXAMPLES_DEMO_SIGNALS_H_
