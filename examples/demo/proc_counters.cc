#include "examples/demo/proc_counters.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace stepwell::demo {
namespace {

using Fields = std::vector<absl::string_view>;

Fields SplitFields(absl::string_view line) {
  return absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
}

// The numbers of `fields` from `first` on, up to the first that is none.
std::vector<int64_t> Numbers(const Fields& fields, size_t first) {
  std::vector<int64_t> numbers;
  for (size_t i = first; i < fields.size(); ++i) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(fields[i], &number)) break;
    numbers.push_back(number);
  }
  return numbers;
}

// Whether `name` is a partition of `disk`: sda1 of sda, nvme0n1p2 of nvme0n1.
bool IsPartition(absl::string_view name, absl::string_view disk) {
  if (disk.empty() || !absl::ConsumePrefix(&name, disk)) return false;
  if (absl::ascii_isdigit(static_cast<unsigned char>(disk.back())) && !absl::ConsumePrefix(&name, "p"))
    return false;
  return !name.empty() && name.find_first_not_of("0123456789") == absl::string_view::npos;
}

bool IsDisk(absl::string_view name) {
  for (const absl::string_view other : {"loop", "ram", "zram", "dm-", "md", "sr", "fd"}) {
    if (absl::StartsWith(name, other)) return false;
  }
  return true;
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::optional<CpuCounters> ParseStat(absl::string_view text) {
  // user, nice, system, idle, iowait, irq, softirq, steal. Guest times follow; user and nice hold them
  // already.
  constexpr size_t kIdle = 3;
  constexpr size_t kIowait = 4;
  constexpr size_t kTimes = 8;
  std::optional<CpuCounters> times;
  std::optional<int64_t> context_switches;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const bool is_cpu = absl::StartsWith(line, "cpu ");
    if (!is_cpu && !absl::StartsWith(line, "ctxt ")) continue;
    const std::vector<int64_t> numbers = Numbers(SplitFields(line), 1);
    if (!is_cpu) {
      if (!numbers.empty()) context_switches = numbers[0];
    } else if (numbers.size() > kIdle) {
      times.emplace();
      for (size_t i = 0; i < std::min(numbers.size(), kTimes); ++i) times->total += numbers[i];
      if (numbers.size() > kIowait) times->iowait = numbers[kIowait];
      times->busy = times->total - numbers[kIdle] - times->iowait;
    }
  }
  if (!times.has_value() || !context_switches.has_value()) return std::nullopt;
  times->context_switches = *context_switches;
  return times;
}

std::optional<double> ParseMeminfo(absl::string_view text) {
  std::optional<int64_t> total;
  std::optional<int64_t> available;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const Fields fields = SplitFields(line);
    if (fields.empty()) continue;
    const std::vector<int64_t> numbers = Numbers(fields, 1);
    if (numbers.empty()) continue;
    if (fields[0] == "MemTotal:") total = numbers[0];
    if (fields[0] == "MemAvailable:") available = numbers[0];
  }
  if (!total.has_value() || !available.has_value() || *total <= 0) return std::nullopt;
  return 1.0 - static_cast<double>(*available) / static_cast<double>(*total);
}

std::optional<int64_t> ParseLoadavg(absl::string_view text) {
  // "4.54 2.18 0.90 11/146 8282": three averages, runnable/all tasks, the newest process.
  constexpr size_t kTasks = 3;
  const Fields fields = SplitFields(text);
  if (fields.size() <= kTasks) return std::nullopt;
  const std::vector<absl::string_view> tasks = absl::StrSplit(fields[kTasks], '/');
  int64_t runnable = 0;
  if (tasks.size() != 2 || !absl::SimpleAtoi(tasks[0], &runnable)) return std::nullopt;
  return runnable;
}

std::optional<DiskCounters> ParseDiskstats(absl::string_view text) {
  // After major, minor and name: reads, merged, sectors read, ms, writes, merged, sectors written, …
  constexpr size_t kName = 2;
  constexpr size_t kRead = 2;
  constexpr size_t kWritten = 6;
  constexpr int64_t kSectorBytes = 512;  // Here, whatever the disk's own.
  std::optional<DiskCounters> counters;
  absl::string_view disk;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const Fields fields = SplitFields(line);
    if (fields.size() <= kName || !IsDisk(fields[kName]) || IsPartition(fields[kName], disk)) continue;
    const std::vector<int64_t> numbers = Numbers(fields, kName + 1);
    if (numbers.size() <= kWritten) continue;
    disk = fields[kName];
    if (!counters.has_value()) counters.emplace();
    counters->read_bytes += numbers[kRead] * kSectorBytes;
    counters->written_bytes += numbers[kWritten] * kSectorBytes;
  }
  return counters;
}

std::optional<int64_t> ParseNetDev(absl::string_view text) {
  // After "name:", which may touch the first number: eight numbers of what was received, then of what was
  // sent.
  constexpr size_t kReceived = 0;
  constexpr size_t kSent = 8;
  std::optional<int64_t> bytes;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || absl::StripAsciiWhitespace(line.substr(0, colon)) == "lo")
      continue;
    const std::vector<int64_t> numbers = Numbers(SplitFields(line.substr(colon + 1)), 0);
    if (numbers.size() <= kSent) continue;
    bytes = bytes.value_or(0) + numbers[kReceived] + numbers[kSent];
  }
  return bytes;
}

Counters ReadCounters(const std::filesystem::path& proc) {
  return {.cpu = ParseStat(ReadAll(proc / "stat")),
          .memory_used = ParseMeminfo(ReadAll(proc / "meminfo")),
          .runnable = ParseLoadavg(ReadAll(proc / "loadavg")),
          .disk = ParseDiskstats(ReadAll(proc / "diskstats")),
          .network_bytes = ParseNetDev(ReadAll(proc / "net/dev"))};
}

}  // namespace stepwell::demo
