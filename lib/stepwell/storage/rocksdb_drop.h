#ifndef STEPWELL_STORAGE_ROCKSDB_DROP_H_
#define STEPWELL_STORAGE_ROCKSDB_DROP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "rocksdb/write_batch.h"
#include "stepwell/storage/rocksdb_database.h"
#include "stepwell/storage/snapshot_pruning.h"
#include "stepwell/storage/version_set.h"

namespace stepwell {

// What drops of snapshots change in a database, to be written as one batch: reads rows when they are asked
// for and keeps what has changed of them. Nobody else may write meanwhile. Thread-compatible.
class RocksDbDrop final : private TreeNodes {
 public:
  explicit RocksDbDrop(const RocksDbDatabase* database)
      : database_(database), tree_(database->Iterate(Family::kTree)) {}

  // Drops the snapshot under `version`, which is there. After an error the whole is of no use any more.
  absl::Status Drop(Version version);

  // Adds what Drop has changed.
  void AddTo(rocksdb::WriteBatch& batch) const;

  // Of the arrays and parts of arrays that went.
  int64_t freed_bytes() const { return freed_bytes_; }

 private:
  struct Entry {
    SnapshotRow row;  // Of a skeleton: version, writers and chains alone.
    Version parent{0};
    bool is_skeleton = false;
    bool was_skeleton = false;  // In the database.
    bool is_gone = false;
    bool is_changed = false;
  };

  std::optional<Node> FindNode(Version version) override;
  void VisitChildren(Version version, absl::FunctionRef<bool(Version)> visit) override;
  void SetSkeleton(Version version, SnapshotRecord record) override;
  void Remove(Version version) override;
  void Move(Version child, Version parent) override;
  std::optional<Version> FreePart(Version writer, int position) override;

  absl::StatusOr<Entry> Read(Version version) const;
  // Adds `version` to the runs of dropped versions, with those in the database that it touches.
  absl::Status AddDropped(Version version);
  void SetEdge(Version parent, Version child, bool is_there);

  const RocksDbDatabase* const database_;
  const std::unique_ptr<rocksdb::Iterator> tree_;
  absl::Status status_;               // What reads have met, which TreeNodes has no way to say.
  std::map<Version, Entry> entries_;  // What was read of the tree. Entries stay where they are.
  std::map<std::pair<Version, Version>, bool> edges_;  // What changed, and how it is now.
  absl::btree_map<std::pair<Version, int>, std::optional<OrphanRow>> orphans_;  // As edges_; absent: freed.
  VersionSet dropped_;
  std::set<Version> merged_;  // The first versions of runs in the database that are part of dropped_ now.
  int64_t freed_bytes_ = 0;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_DROP_H_
