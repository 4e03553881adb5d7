#ifndef STEPWELL_STORAGE_ROCKSDB_LOG_FILES_H_
#define STEPWELL_STORAGE_ROCKSDB_LOG_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"

namespace stepwell {

// The files that RocksDB appends to, its MANIFEST and its logs, before it opens them. RocksDB by itself takes
// some damage of such a file for its end and drops what is behind.

// A file from whose byte `readable` on nothing is a whole record.
struct LogTail {
  std::string path;
  uint64_t readable = 0;
  uint64_t size = 0;
};

// How far `path` can be read: to its end when `readable` is its size.
rocksdb::Status MeasureLog(const std::string& path, rocksdb::Env* env, LogTail& tail);

struct LogInspection {
  // What is synced and cannot be read: the store is damaged. Each names its file.
  std::vector<std::string> damages;
  // What was not synced and does not end with a whole record: a power cut, or a write that failed.
  std::vector<LogTail> torn;
  // Logs behind a torn one: what is in them came later, and was not synced either.
  std::vector<std::string> behind_torn;
  // How many files were looked at.
  int64_t checked = 0;
  // Whether it is known what is synced. Where not, nothing else is said of logs.
  bool knows_synced = false;
};

// Looks at the store in `directory`, which has one. INTERNAL: a file cannot be read.
absl::StatusOr<LogInspection> InspectLogs(const std::string& directory, rocksdb::Env* env);

// Cuts off what is torn, so that all that is left is whole.
rocksdb::Status CutTorn(const LogInspection& inspection, rocksdb::Env* env);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_LOG_FILES_H_
