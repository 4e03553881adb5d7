#ifndef STEPWELL_BASE_CLOCK_H_
#define STEPWELL_BASE_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace stepwell {

// Where wall-clock time comes from, so that a test can hold it still. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// The machine's clock.
class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace stepwell

#endif  // STEPWELL_BASE_CLOCK_H_
