#ifndef STEPWELL_BENCH_RESIDENT_BYTES_H_
#define STEPWELL_BENCH_RESIDENT_BYTES_H_

#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace stepwell::bench {

// What this process holds in memory.
inline int64_t ResidentBytes() {
  int64_t all = 0;
  int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_RESIDENT_BYTES_H_
