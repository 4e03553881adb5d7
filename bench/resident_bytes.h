#ifndef STEPWELL_BENCH_RESIDENT_BYTES_H_
#define STEPWELL_BENCH_RESIDENT_BYTES_H_

#include <jemalloc/jemalloc.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace stepwell::bench {

// What this process holds in memory.
inline int64_t ResidentBytes() {
  int64_t all = 0;
  int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// The same without what was freed and is kept for later, which measures before this one leave much of.
inline int64_t ResidentBytesInUse() {
  mallctl(absl::StrCat("arena.", MALLCTL_ARENAS_ALL, ".purge").c_str(), nullptr, nullptr, nullptr, 0);
  return ResidentBytes();
}

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_RESIDENT_BYTES_H_
