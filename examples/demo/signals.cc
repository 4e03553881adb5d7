#include "examples/demo/signals.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_format.h"

namespace stepwell::demo {
namespace {

enum class Kind { kFraction, kCount, kPerSecond, kBytesPerSecond };

struct Signal {
  Kind kind;
  double unit;  // Unused of a fraction.
};

constexpr double kBytesUnit = 1e7;
constexpr std::array<Signal, kSignalCount> kSignals = {{{Kind::kFraction, 1},
                                                        {Kind::kFraction, 1},
                                                        {Kind::kPerSecond, 1e3},
                                                        {Kind::kCount, 1},
                                                        {Kind::kFraction, 1},
                                                        {Kind::kBytesPerSecond, kBytesUnit},
                                                        {Kind::kBytesPerSecond, kBytesUnit},
                                                        {Kind::kBytesPerSecond, kBytesUnit}}};

const Signal& SignalAt(int signal) { return kSignals[static_cast<size_t>(signal)]; }

double Grown(int64_t before, int64_t after) {
  return static_cast<double>(std::max<int64_t>(after - before, 0));
}

// With the prefix that leaves one to three digits before the point.
std::string FormatScaled(double value, absl::string_view unit) {
  for (const char* prefix : {"", "k", "M"}) {
    if (value < 999.5) return absl::StrFormat("%.*f %s%s", *prefix == '\0' ? 0 : 1, value, prefix, unit);
    value /= 1000;
  }
  return absl::StrFormat("%.1f G%s", value, unit);
}

}  // namespace

Readings Measure(const Counters& before, const Counters& after, absl::Duration elapsed) {
  const double seconds = absl::ToDoubleSeconds(elapsed);
  Readings readings;
  if (before.cpu.has_value() && after.cpu.has_value()) {
    const double total = Grown(before.cpu->total, after.cpu->total);
    // Ticks are coarse: of a very short time there may be none.
    readings[0] = total > 0 ? Grown(before.cpu->busy, after.cpu->busy) / total : 0;
    readings[1] = total > 0 ? Grown(before.cpu->iowait, after.cpu->iowait) / total : 0;
    readings[2] = Grown(before.cpu->context_switches, after.cpu->context_switches) / seconds;
  }
  if (after.runnable.has_value()) readings[3] = static_cast<double>(*after.runnable);
  readings[4] = after.memory_used;
  if (before.disk.has_value() && after.disk.has_value()) {
    readings[5] = Grown(before.disk->read_bytes, after.disk->read_bytes) / seconds;
    readings[6] = Grown(before.disk->written_bytes, after.disk->written_bytes) / seconds;
  }
  if (before.network_bytes.has_value() && after.network_bytes.has_value()) {
    readings[7] = Grown(*before.network_bytes, *after.network_bytes) / seconds;
  }
  return readings;
}

Readings LastSecond::Add(Time now, const Counters& counters) {
  while (looks_.size() > 1 && now - looks_.front().first > std::chrono::seconds(1)) looks_.pop_front();
  looks_.emplace_back(now, counters);
  const auto& [then, oldest] = looks_.front();
  if (looks_.size() == 1) return Measure({}, counters, absl::Seconds(1));
  return Measure(oldest, counters, absl::FromChrono(now - then));
}

SignalValues ToModel(const Readings& readings) {
  SignalValues values{};
  for (size_t i = 0; i < values.size(); ++i) {
    if (!readings[i].has_value()) continue;
    const double reading = *readings[i];
    values[i] = static_cast<float>(
        kSignals[i].kind == Kind::kFraction ? reading : std::log1p(reading / kSignals[i].unit));
  }
  return values;
}

double FromModel(int signal, float value) {
  const auto& [kind, unit] = SignalAt(signal);
  return kind == Kind::kFraction ? value : std::expm1(value) * unit;
}

std::string FormatReading(int signal, double reading) {
  switch (SignalAt(signal).kind) {
    case Kind::kFraction:
      return absl::StrFormat("%.1f %%", reading * 100);
    case Kind::kCount:
      return absl::StrFormat("%.1f", reading);
    case Kind::kPerSecond:
      return FormatScaled(reading, "/s");
    case Kind::kBytesPerSecond:
      break;
  }
  return FormatScaled(reading, "B/s");
}

}  // namespace stepwell::demo
