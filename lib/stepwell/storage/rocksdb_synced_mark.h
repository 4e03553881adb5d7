#ifndef STEPWELL_STORAGE_ROCKSDB_SYNCED_MARK_H_
#define STEPWELL_STORAGE_ROCKSDB_SYNCED_MARK_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace rocksdb {
class Env;
class RandomRWFile;
}  // namespace rocksdb

namespace stepwell {

// How much of the files that RocksDB appends to is known to be synced: its MANIFEST, and its logs, of which
// all before `log_number` are synced as a whole.
struct SyncedEnds {
  uint64_t manifest_number = 0;
  uint64_t manifest_bytes = 0;
  uint64_t log_number = 0;
  uint64_t log_bytes = 0;

  // Everything: when what was known cannot be read any more.
  static constexpr uint64_t kAll = std::numeric_limits<uint64_t>::max();
};

// The file SYNCED of a data directory, a line of text that says SyncedEnds. A log that ends too early looks
// the same after a power cut, which takes what was not synced, and after a bit has flipped in what was: this
// tells. It is written after each sync and not synced itself, so what it says may be old, and is true.
// Thread-safe.
class SyncedMark {
 public:
  // What the file in `directory` says. Absent: there is none. kAll everywhere: it is damaged.
  static absl::StatusOr<std::optional<SyncedEnds>> Read(const std::string& directory, rocksdb::Env* env);

  // Writes `ends` for the first time since a start, and makes the file where there is none.
  static absl::StatusOr<std::unique_ptr<SyncedMark>> Open(const std::string& directory,
                                                          const SyncedEnds& ends, rocksdb::Env* env);

  ~SyncedMark();

  // More is synced. Where this cannot be written, what the file said before stays true.
  void SetLog(uint64_t number, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetManifest(uint64_t number, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  SyncedMark(const SyncedEnds& ends, std::unique_ptr<rocksdb::RandomRWFile> file);

  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  SyncedEnds ends_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<rocksdb::RandomRWFile> file_ ABSL_PT_GUARDED_BY(mutex_);
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_SYNCED_MARK_H_
