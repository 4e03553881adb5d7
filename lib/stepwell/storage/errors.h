#ifndef STEPWELL_STORAGE_ERRORS_H_
#define STEPWELL_STORAGE_ERRORS_H_

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

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ERRORS_H_
