#ifndef STEPWELL_CLIENT_CLI_PROGRESS_H_
#define STEPWELL_CLIENT_CLI_PROGRESS_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace stepwell::cli {

// A bar that grows while bytes arrive. Nothing is drawn during the first second, nor more often than ten
// times a second, and the line is wiped at the end. Thread-compatible.
class ProgressBar {
 public:
  // Draws on `out`, a terminal that must outlive this; null: nowhere. `now` tells the time.
  explicit ProgressBar(std::ostream* out, std::function<absl::Time()> now = absl::Now);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Update(int64_t received, int64_t total);

 private:
  std::ostream* const out_;
  const std::function<absl::Time()> now_;
  const absl::Time start_;
  absl::Time next_;  // When it may be drawn again.
  bool drawn_ = false;
};

// "950 B", "1.5 MiB".
std::string BytesToText(int64_t bytes);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_PROGRESS_H_
