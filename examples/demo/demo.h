#ifndef STEPWELL_EXAMPLES_DEMO_DEMO_H_
#define STEPWELL_EXAMPLES_DEMO_DEMO_H_

#include <chrono>
#include <ostream>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace stepwell::demo {

using SteadyTime = std::chrono::steady_clock::time_point;

struct DemoOptions {
  std::string address;       // Of the server.
  std::string branch;        // To create; the fork is this with "-no-burst" after it.
  double seconds = 30;       // Of sampling: half calm, a fifth burst, the rest rest. Positive.
  double rate = 10;          // Samples a second. Positive.
  bool is_terminal = false;  // A table that is written over; otherwise a line a second.
};

// Waits until a time; false when the program is told to end instead.
using WaitUntil = absl::FunctionRef<bool(SteadyTime)>;

// The demo as `stepwell-demo --help` tells it. Writes to `out`. CANCELLED when `wait_until` says so; the load
// is over then. Errors else are the client's, or INTERNAL when the server broke its promises.
absl::Status RunDemo(const DemoOptions& options, std::ostream& out, WaitUntil wait_until);

}  // namespace stepwell::demo

#endif  // STEPWELL_EXAMPLES_DEMO_DEMO_H_
