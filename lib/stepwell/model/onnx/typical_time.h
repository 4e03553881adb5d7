#ifndef STEPWELL_MODEL_ONNX_TYPICAL_TIME_H_
#define STEPWELL_MODEL_ONNX_TYPICAL_TIME_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "absl/time/time.h"

namespace stepwell::onnx {

// What something takes that runs again and again, measured on this machine: the shortest of the first few
// runs, then the median, to which each measured run adds or takes a sixteenth. A run that the machine has
// interrupted says nothing of what it takes. Thread-safe.
class TypicalTime {
 public:
  // Zero before the first run.
  absl::Duration value() const { return absl::Nanoseconds(nanoseconds_.load(std::memory_order_relaxed)); }

  // Calls `run`, which does the thing `count` times over; what one of them takes may be measured.
  template <typename Run>
  auto Measure(int64_t count, Run run) {
    // The clock costs as much as a small part of a small model: a few runs tell enough.
    const uint32_t runs = runs_.fetch_add(1, std::memory_order_relaxed);
    const bool is_early = runs < 8;
    if (!is_early && runs % 64 != 0) return run();
    const auto start = std::chrono::steady_clock::now();
    auto result = run();
    Add(std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count() / count, is_early);
    return result;
  }

 private:
  // Two runs that end at once may lose one measurement, which does not matter.
  void Add(int64_t taken, bool is_early) {
    const int64_t typical = nanoseconds_.load(std::memory_order_relaxed);
    int64_t next = std::max<int64_t>(1, taken);
    if (typical != 0 && is_early) {
      next = std::min(typical, next);
    } else if (typical != 0) {
      next = taken > typical ? typical + typical / 16 : typical - typical / 16;
    }
    nanoseconds_.store(next, std::memory_order_relaxed);
  }

  std::atomic<uint32_t> runs_ = 0;
  std::atomic<int64_t> nanoseconds_ = 0;  // 0: no run was measured yet.
};

}  // namespace stepwell::onnx

#endif  // STEPWELL_MODEL_ONNX_TYPICAL_TIME_H_
