#ifndef STEPWELL_STORAGE_ROCKSDB_KEYS_H_
#define STEPWELL_STORAGE_ROCKSDB_KEYS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "stepwell/storage/version.h"

namespace stepwell {

// Keys of the RocksDB driver; docs/impl.md has the layout. Numbers are big endian, so that the order of keys
// is that of numbers.

// Of the family "snapshots".
std::string SnapshotKey(Version version);
Version SnapshotKeyVersion(absl::string_view key);

// Of "arrays".
std::string ArrayKey(Version writer, int position);

// Of "requests": in the order of time.
std::string RequestKey(absl::Time time, absl::string_view id);

// Of "tree", whose keys begin with their kind:
// a node's place, where its snapshot does not say it;
std::string PlaceKey(Version version);
// a child; those of a parent stand together, behind EdgePrefix;
std::string EdgeKey(Version parent, Version child);
std::string EdgePrefix(Version parent);
Version EdgeKeyChild(absl::string_view key);
// a part of an array whose writer was dropped;
std::string OrphanKey(Version writer, int position);
// and a run of versions that were dropped, by its first. The value is its last, as VersionValue writes it.
std::string DroppedKey(Version first);
// The first of the run; absent: `key` is of another kind.
std::optional<Version> DroppedKeyFirst(absl::string_view key);

// What a key of "tree" says. Absent: `key` is none.
struct TreeKey {
  enum class Kind { kPlace, kEdge, kOrphan, kDropped };
  Kind kind;
  Version version;   // The node, the parent, the writer, or the first.
  Version child{0};  // Of an edge.
  int position = 0;  // Of an orphan.
};
std::optional<TreeKey> ParseTreeKey(absl::string_view key);

// A version as a value. Absent: `value` is none.
std::string VersionValue(Version version);
std::optional<Version> ParseVersionValue(absl::string_view value);

// Of the family "default": the end of the version numbers that may have been handed out,
inline constexpr char kReservedEndKey[] = "reserved_end";
// and revisions of models, which stand together behind kModelRevisionPrefix. The byte before the revision
// stands below all that names have, so that they are in the order of names.
inline constexpr char kModelRevisionPrefix[] = "model/";
std::string ModelRevisionKey(absl::string_view model, int64_t revision);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_KEYS_H_
