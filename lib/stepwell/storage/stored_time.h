#ifndef STEPWELL_STORAGE_STORED_TIME_H_
#define STEPWELL_STORAGE_STORED_TIME_H_

#include <cstdint>

#include "absl/time/time.h"

namespace stepwell {

// A time as stores keep it: to the nanosecond, from 1678 to 2261, in half the space of an absl::Time.
class StoredTime {
 public:
  constexpr StoredTime() = default;
  // NOLINTNEXTLINE(google-explicit-constructor)
  StoredTime(absl::Time time) : unix_nanos_(absl::ToUnixNanos(time)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator absl::Time() const { return absl::FromUnixNanos(unix_nanos_); }

 private:
  int64_t unix_nanos_ = 0;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_STORED_TIME_H_
