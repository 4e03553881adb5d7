#ifndef STEPWELL_STORAGE_ROCKSDB_CHECKPOINT_H_
#define STEPWELL_STORAGE_ROCKSDB_CHECKPOINT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "stepwell/storage/rocksdb_database.h"

namespace stepwell {

// Makes a copy at `path` of what is in `database` now, which RocksDbDatabase::Open opens; its bytes. Tables
// and blob files become the copy's by a second name where they lie on the same file system, so that only logs
// are copied; elsewhere, all is. Writes go on meanwhile. What is half done has another name, ".NAME.partial"
// beside it; one that a crash has left goes when the same copy is made again. Errors as Store::Checkpoint;
// one copy at a time.
absl::StatusOr<int64_t> MakeCheckpoint(const RocksDbDatabase& database, const std::string& path);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_CHECKPOINT_H_
