#ifndef STEPWELL_STORAGE_ROCKSDB_OVERLAY_H_
#define STEPWELL_STORAGE_ROCKSDB_OVERLAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// What a RocksDbStore knows of snapshots without its database: what is visible and not written yet, and which
// snapshots are there for sure. What a reader of the database has seen of a version may have changed until it
// decides on it; watches tell. Thread-compatible.
class RocksDbOverlay {
 public:
  using Stored = std::shared_ptr<const StoredSnapshot>;
  using Record = std::shared_ptr<const SnapshotRecord>;

  // `known_count` is how many versions it remembers to be there, about.
  explicit RocksDbOverlay(size_t known_count) : known_count_(known_count) {}

  // A snapshot was committed, and later written.
  void Add(Stored snapshot);
  void OnWritten(Version version) { pending_.erase(version); }

  // A snapshot has a new record, which was later written: once for each Update.
  void Update(Record record);
  void OnUpdateWritten(Version version);

  // A snapshot is to be dropped: from now on it is gone. Later it was dropped, or could not be.
  void BeginDrop(Version version);
  void EndDrop(Version version);

  // Null: it is not known here what the snapshot was committed as, or what its record is now.
  Stored FindPending(Version version) const;
  Record FindRecord(Version version) const;

  bool IsDropping(Version version) const { return dropping_.contains(version); }
  // Whether the snapshot is there for sure.
  bool IsKnown(Version version) const { return recent_.contains(version) || older_.contains(version); }
  // Notes that it is there, and is not being dropped.
  void Know(Version version);

  // Watches what is written of `version`, and ends that. Unwatch says whether what was read of it in the
  // database meanwhile is still true, apart from what is pending.
  int64_t Watch(Version version);
  bool Unwatch(Version version, int64_t since);

  // Those below `before`, newest first, up to `limit`, without those that are being dropped.
  std::vector<Record> NewestBefore(Version before, size_t limit) const;

  // For a scan: everything that the database does not say yet.
  absl::flat_hash_map<Version, Record> UpdatedRecords() const;
  const absl::flat_hash_set<Version>& dropping() const { return dropping_; }

 private:
  struct Updated {
    Record record;
    int unwritten = 0;  // Updates.
  };
  struct Watched {
    int watchers = 0;
    int64_t changes = 0;
  };

  void OnChange(Version version);

  const size_t known_count_;
  absl::btree_map<Version, Stored> pending_;
  absl::flat_hash_map<Version, Updated> updated_;
  absl::flat_hash_set<Version> dropping_;
  // What was noted last, and before that.
  absl::flat_hash_set<Version> recent_;
  absl::flat_hash_set<Version> older_;
  absl::flat_hash_map<Version, Watched> watched_;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_OVERLAY_H_
