#ifndef STEPWELL_STORAGE_ERRORS_H_
#define STEPWELL_STORAGE_ERRORS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// NOT_FOUND, reason SNAPSHOT_UNKNOWN: no snapshot was ever stored under `version`.
absl::Status SnapshotUnknown(Version version);

// NOT_FOUND, reason SNAPSHOT_EVICTED: the snapshot under `version` was dropped.
absl::Status SnapshotEvicted(Version version);

// FAILED_PRECONDITION, reason SNAPSHOT_PINNED: it cannot be dropped.
absl::Status SnapshotPinned(Version version);

// FAILED_PRECONDITION, reason SNAPSHOT_LABELLED: it is not to be dropped.
absl::Status SnapshotLabelled(Version version);

// FAILED_PRECONDITION, reason SNAPSHOT_IS_HEAD, with metadata version and branch: it cannot be dropped.
absl::Status SnapshotIsHead(Version version, absl::string_view branch);

// NOT_FOUND, reason BRANCH_NOT_FOUND.
absl::Status BranchNotFound(absl::string_view branch);

// ALREADY_EXISTS, reason BRANCH_EXISTS.
absl::Status BranchExists(absl::string_view branch);

// ABORTED, reason HEAD_MOVED, with metadata branch, expected_head and current_head.
absl::Status HeadMoved(absl::string_view branch, Version expected, Version current);

// INTERNAL: a batch changes `branch` twice, where the second change would not see the first.
absl::Status BranchChangedTwice(absl::string_view branch);

// `code`, reason REQUEST_ID_REUSED: something else was done under `id`.
absl::Status RequestIdReused(absl::StatusCode code, absl::string_view id);

// FAILED_PRECONDITION, reason DURABILITY_UNAVAILABLE: a store without a disk was asked for SYNC.
absl::Status DurabilityUnavailable(absl::string_view store);

// RESOURCE_EXHAUSTED, reason MEMORY_LIMIT, with metadata limit: a commit of `bytes` does not fit beside the
// `used` bytes that a store of at most `limit` bytes holds.
absl::Status MemoryLimit(int64_t bytes, int64_t used, int64_t limit);

// Of a store on disk.

// DATA_LOSS, reason ARRAY_DAMAGED, with metadata version and position: what `writer` wrote at `position` is
// not what is there now. `detail` says how that was seen.
absl::Status ArrayDamaged(Version writer, int position, absl::string_view detail);

// DATA_LOSS, reason RECORD_DAMAGED: `what`, a record of the store, cannot be read.
absl::Status RecordDamaged(absl::string_view what, absl::string_view detail);

// INTERNAL, reason STORE_READ_FAILED: the disk did not give `what`.
absl::Status StoreReadFailed(absl::string_view what, absl::string_view detail);

// INTERNAL, reason STORE_WRITE_FAILED: something is visible, but may not survive a crash.
absl::Status StoreWriteFailed(absl::string_view detail);

// FAILED_PRECONDITION, reason STORE_READ_ONLY: a write has failed before, as `detail` says. Not UNAVAILABLE,
// which clients repeat by themselves: nothing but a restart makes the store writable again.
absl::Status StoreReadOnly(absl::string_view detail);

// RESOURCE_EXHAUSTED, reason QUEUE_FULL, with metadata limit: the disk is slower than what is committed.
// `unit` is what `waiting` and `limit` count.
absl::Status WriteQueueFull(int64_t waiting, int64_t limit, absl::string_view unit);

// As WriteQueueFull, for copies of the store.
absl::Status CopyQueueFull(size_t limit);

// RESOURCE_EXHAUSTED, reason ARRAY_TOO_LARGE, with metadata limit: an array of `bytes`.
absl::Status ArrayTooLarge(int64_t bytes, int64_t limit);

// As WriteQueueFull, for reads.
absl::Status ReadQueueFull(size_t limit);

// FAILED_PRECONDITION, reason BACKUP_UNAVAILABLE: a store without a disk cannot be copied.
absl::Status BackupUnavailable(absl::string_view store);

// ALREADY_EXISTS, reason BACKUP_EXISTS: something is at `path`.
absl::Status BackupExists(absl::string_view path);

// INTERNAL, reason BACKUP_FAILED: there is no copy at `path`.
absl::Status BackupFailed(absl::string_view path, absl::string_view detail);

// FAILED_PRECONDITION: another process, or another store of this one, has `path`.
absl::Status DirectoryInUse(absl::string_view path);

// FAILED_PRECONDITION: `path` holds `found`, which no store of ours has made.
absl::Status DirectoryForeign(absl::string_view path, absl::string_view found);

// FAILED_PRECONDITION: `path` was written with `format`; formats up to `newest` are known here.
absl::Status DirectoryOfNewerFormat(absl::string_view path, int64_t format, int64_t newest);

// FAILED_PRECONDITION: nothing can be written in `path`.
absl::Status DirectoryNotWritable(absl::string_view path, absl::string_view detail);

// FAILED_PRECONDITION: no store is in `path`.
absl::Status DirectoryEmpty(absl::string_view path);

// DATA_LOSS: `path` was a store's, and is not whole any more.
absl::Status DirectoryDamaged(absl::string_view path, absl::string_view detail);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ERRORS_H_
