#include "examples/demo/signals.h"

#include <cmath>
#include <cstddef>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::demo {
namespace {

using ::testing::DoubleEq;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Optional;

Counters Before() {
  return {.cpu = CpuCounters{.busy = 100, .iowait = 10, .total = 1000, .context_switches = 5000},
          .memory_used = 0.25,
          .runnable = 3,
          .disk = DiskCounters{.read_bytes = 1 << 20, .written_bytes = 1 << 21},
          .network_bytes = 700};
}

Counters After() {
  return {.cpu = CpuCounters{.busy = 150, .iowait = 20, .total = 1200, .context_switches = 6000},
          .memory_used = 0.5,
          .runnable = 4,
          .disk = DiskCounters{.read_bytes = (1 << 20) + 4096, .written_bytes = (1 << 21) + 8192},
          .network_bytes = 1700};
}

TEST(Measure, DividesWhatWasCountedByTheTime) {
  EXPECT_THAT(Measure(Before(), After(), absl::Milliseconds(500)),
              ElementsAre(Optional(DoubleEq(0.25)), Optional(DoubleEq(0.05)), Optional(DoubleEq(2000)),
                          Optional(DoubleEq(4)), Optional(DoubleEq(0.5)), Optional(DoubleEq(8192)),
                          Optional(DoubleEq(16384)), Optional(DoubleEq(2000))));
}

TEST(Measure, OfWhatTheMachineHidesIsAbsent) {
  EXPECT_THAT(Measure({}, {}, absl::Seconds(1)), Each(std::nullopt));
  Counters after = After();
  after.disk.reset();  // A counter that has gone.
  const Readings readings = Measure(Before(), after, absl::Seconds(1));
  EXPECT_EQ(readings[5], std::nullopt);
  EXPECT_EQ(readings[6], std::nullopt);
  EXPECT_THAT(readings[7], Optional(DoubleEq(1000)));
}

TEST(Measure, OfCountersThatRanBackwardsIsZero) {
  const Readings readings = Measure(After(), Before(), absl::Seconds(1));
  for (const size_t i : {0, 1, 2, 5, 6, 7})
    EXPECT_THAT(readings[i], Optional(DoubleEq(0))) << kSignalNames[i];
}

TEST(LastSecond, SpansTheWholeSecondAndNoMore) {
  LastSecond last_second;
  const LastSecond::Time start;
  const auto bytes_at = [&](int tenths, int64_t bytes) {
    return last_second.Add(start + std::chrono::milliseconds(100 * tenths), {.network_bytes = bytes})[7];
  };
  EXPECT_EQ(bytes_at(0, 5000), std::nullopt);  // Of one look there is no rate.
  EXPECT_THAT(bytes_at(2, 6000), Optional(DoubleEq(5000)));
  EXPECT_THAT(bytes_at(10, 7000), Optional(DoubleEq(2000)));
  EXPECT_THAT(bytes_at(11, 8000), Optional(DoubleEq(2000 / 0.9)));  // The first look is over a second ago.
  EXPECT_THAT(bytes_at(50, 8000), Optional(DoubleEq(0)));
}

TEST(ToModel, TakesFractionsAsTheyAreAndRatesByTheirLogarithm) {
  const Readings readings = {0.5, 0.1, 1000.0, 1.0, 0.75, 0.0, 90e6, 10e6};
  const SignalValues values = ToModel(readings);
  const std::array<double, kSignalCount> expected = {0.5,  0.1, std::log(2),  std::log(2),
                                                     0.75, 0,   std::log(10), std::log(2)};
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_FLOAT_EQ(values[i], static_cast<float>(expected[i])) << kSignalNames[i];
}

TEST(ToModel, TakesWhatIsAbsentAsZero) { EXPECT_THAT(ToModel(Readings{}), Each(0.0F)); }

TEST(FromModel, UndoesToModel) {
  const Readings readings = {0.5, 0.1, 1234.0, 7.0, 0.75, 4096.0, 123e6, 55.0};
  const SignalValues values = ToModel(readings);
  for (int i = 0; i < kSignalCount; ++i) {
    const auto at = static_cast<size_t>(i);
    EXPECT_NEAR(FromModel(i, values[at]), *readings[at], 1e-4 * *readings[at] + 2) << kSignalNames[at];
  }
}

TEST(FormatReading, HasAUnitThatFits) {
  EXPECT_EQ(FormatReading(0, 0.4312), "43.1 %");
  EXPECT_EQ(FormatReading(2, 12345), "12.3 k/s");
  EXPECT_EQ(FormatReading(2, 999.4), "999 /s");
  EXPECT_EQ(FormatReading(2, 999.6), "1.0 k/s");
  EXPECT_EQ(FormatReading(3, 4), "4.0");
  EXPECT_EQ(FormatReading(6, 0), "0 B/s");
  EXPECT_EQ(FormatReading(6, 1.25e6), "1.2 MB/s");
  EXPECT_EQ(FormatReading(6, 2.5e9), "2.5 GB/s");
}

}  // namespace
}  // namespace stepwell::demo
