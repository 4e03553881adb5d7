#ifndef STEPWELL_EXAMPLES_DEMO_PROC_COUNTERS_H_
#define STEPWELL_EXAMPLES_DEMO_PROC_COUNTERS_H_

#include <cstdint>
#include <filesystem>
#include <optional>

#include "absl/strings/string_view.h"

namespace stepwell::demo {

// What Linux has counted since it started, read from the text of five files of /proc. Each parser takes the
// text of one file; it answers nullopt when the text does not hold what it looks for, as in a container that
// hides the file, and skips lines that it does not understand.

// Of /proc/stat, over all CPUs. Times are in ticks, of whatever length.
struct CpuCounters {
  int64_t busy = 0;    // Neither idle nor waiting for a disk.
  int64_t iowait = 0;  // Idle while a disk was waited for.
  int64_t total = 0;
  int64_t context_switches = 0;
};
std::optional<CpuCounters> ParseStat(absl::string_view text);

// Of /proc/meminfo: the fraction of memory that is not available for new programs, 0 to 1.
std::optional<double> ParseMeminfo(absl::string_view text);

// Of /proc/loadavg: the tasks that run or could run at this moment. The averages beside it move only every
// five seconds.
std::optional<int64_t> ParseLoadavg(absl::string_view text);

// Of /proc/diskstats: bytes over all disks. A partition counts with its disk; devices that stand on others or
// in memory (loop, ram, zram, device mapper, RAID) are left out, as their bytes would count twice or touch no
// disk.
struct DiskCounters {
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;
};
std::optional<DiskCounters> ParseDiskstats(absl::string_view text);

// Of /proc/net/dev: bytes received and sent over all interfaces but the loopback.
std::optional<int64_t> ParseNetDev(absl::string_view text);

// All of them at one moment.
struct Counters {
  std::optional<CpuCounters> cpu;
  std::optional<double> memory_used;
  std::optional<int64_t> runnable;
  std::optional<DiskCounters> disk;
  std::optional<int64_t> network_bytes;
};

// Reads the five files below `proc`; those that cannot be read are absent.
Counters ReadCounters(const std::filesystem::path& proc = "/proc");

}  // namespace stepwell::demo

#endif  // STEPWELL_EXAMPLES_DEMO_PROC_COUNTERS_H_
