#ifndef STEPWELL_STORAGE_ROCKSDB_CODEC_H_
#define STEPWELL_STORAGE_ROCKSDB_CODEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stepwell/array/array.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// Records and arrays as the values that RocksDB stores. What cannot be read is DATA_LOSS (RECORD_DAMAGED,
// ARRAY_DAMAGED).

// A snapshot with the bytes of each array that it wrote, in the order of positions.
struct SnapshotRow {
  SnapshotRecord record;
  std::vector<int64_t> written_bytes;
};
std::string EncodeSnapshot(const StoredSnapshot& snapshot);
std::string EncodeSnapshot(const SnapshotRow& row);
absl::StatusOr<SnapshotRow> DecodeSnapshot(Version version, absl::string_view value);

// Where a node of the tree hangs, whose snapshot does not say so. Of a skeleton, `record` has version,
// writers and chains.
struct PlaceRow {
  Version parent{0};  // 0 for a root.
  bool is_skeleton = false;
  SnapshotRecord record;
};
std::string EncodePlace(const PlaceRow& place);
absl::StatusOr<PlaceRow> DecodePlace(Version version, absl::string_view value);

// A part of an array whose writer was dropped.
struct OrphanRow {
  int64_t byte_count = 0;
  std::optional<Version> previous;  // Wrote the part in front of it.
};
std::string EncodeOrphan(const OrphanRow& orphan);
absl::StatusOr<OrphanRow> DecodeOrphan(Version writer, int position, absl::string_view value);

std::string EncodeBranch(const BranchRecord& branch);
absl::StatusOr<BranchRecord> DecodeBranch(absl::string_view name, absl::string_view value);

std::string EncodeRequest(const RequestRecord& request);
absl::StatusOr<RequestRecord> DecodeRequest(absl::string_view value);

std::string EncodeModelRevision(const ModelRevisionRecord& record);
absl::StatusOr<ModelRevisionRecord> DecodeModelRevision(absl::string_view value);

// What stands in front of the array's bytes in its value. It has a checksum of everything, the key included.
std::string EncodeArrayHeader(Version writer, int position, const Array& array,
                              std::optional<Version> previous);
// The array is a copy. Every byte is checked.
absl::StatusOr<ArrayPart> DecodeArray(Version writer, int position, absl::string_view value);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_CODEC_H_
