#ifndef STEPWELL_BENCH_REPORT_H_
#define STEPWELL_BENCH_REPORT_H_

#include <string>

#include "absl/types/span.h"
#include "bench/interleave.h"

namespace stepwell::bench {

// For people: a table of `id | measure | ours | ceiling | ratio | spread | goal | holds`.
std::string Table(absl::Span<const Result> results);

// For programs: an array of {id, measure, unit, ours, ceiling, ratio, spread, goal, holds}.
std::string Json(absl::Span<const Result> results);

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_REPORT_H_
