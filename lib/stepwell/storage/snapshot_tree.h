#ifndef STEPWELL_STORAGE_SNAPSHOT_TREE_H_
#define STEPWELL_STORAGE_SNAPSHOT_TREE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "stepwell/array/array.h"
#include "stepwell/storage/record.h"
#include "stepwell/storage/snapshot_pruning.h"
#include "stepwell/storage/version_set.h"

namespace stepwell {

// The snapshots of a store and the arrays that they share. Tells which arrays nobody refers to any more when
// a snapshot is dropped, without counting references: the snapshots that refer to one array are a connected
// part of the tree of versions, so that their neighbours in it tell. An array that grows is a chain of parts;
// snapshots whose chains begin with the same part have all parts in common that the older of two has.
//
// A dropped snapshot leaves the tree, and its children move to its parent. Only where children share an array
// through it that its parent does not have, it stays as a skeleton, which no caller sees: it has two children
// at least, so skeletons never outnumber snapshots. What a snapshot's record says of its parent stays true.
// Thread-compatible.
class SnapshotTree : private TreeNodes {
 public:
  using Stored = std::shared_ptr<const StoredSnapshot>;

  // What a drop has removed, for the caller to free where it likes.
  struct Garbage {
    std::vector<Stored> snapshots;
    std::vector<Array> arrays;  // And parts of arrays, that nobody refers to any more,
    int64_t array_bytes = 0;    // and their bytes.
  };

  // Null: it was dropped, or was never there.
  const Stored* Find(Version version) const;
  bool WasDropped(Version version) const { return dropped_.Contains(version); }

  // What `writer`, be it dropped or not, wrote at `position`. Absent: nothing is there.
  std::optional<ArrayPart> FindPart(Version writer, int position) const;

  // `snapshot` is a root, or its parent is here.
  void Insert(Stored snapshot);

  // Replaces what is said of a snapshot that is here; its state is the same.
  void Replace(Stored snapshot);

  // `version`, which is here, became the head of one more branch (+1), or of one less (-1).
  void CountHead(Version version, int change);
  bool IsHead(Version version) const { return head_counts_.contains(version); }

  // Drops a snapshot that is here and adds what went to `garbage`.
  void Drop(Version version, Garbage& garbage);

  // The nearest ancestor that is here of a snapshot that is here.
  std::optional<Version> Parent(Version version) const;

  // The newest snapshots that are older than `before`, up to `limit`, newest first.
  std::vector<Stored> NewestBefore(Version before, size_t limit) const;

  // For tests: nodes that no caller sees, and parts of arrays whose writer was dropped.
  size_t skeleton_count() const { return skeleton_count_; }
  size_t orphan_count() const { return orphans_.size(); }

 private:
  // Of a skeleton: version and writers alone; 0 for an array it does not connect.
  static bool IsSkeleton(const Stored& node) { return node->record.origin == nullptr; }
  // Of a node that is here; 0 for a root.
  Version ParentOf(const SnapshotRecord& node) const;

  std::optional<Node> FindNode(Version version) override;
  void VisitChildren(Version version, absl::FunctionRef<bool(Version)> visit) override;
  void SetSkeleton(Version version, SnapshotRecord record) override;
  void Remove(Version version) override;
  void Move(Version child, Version parent) override;
  std::optional<Version> FreePart(Version writer, int position) override;

  // By version: what is committed next goes next to what was committed last, which is still in the
  // processor's cache, where a hash would send it anywhere.
  absl::btree_map<Version, Stored> nodes_;
  absl::flat_hash_map<Version, Version> moved_;         // The parent, where it is not the record's any more.
  absl::flat_hash_map<Version, int32_t> head_counts_;   // How many branches point there; none is 0.
  absl::btree_set<std::pair<Version, Version>> edges_;  // (parent, child), both in nodes_.
  absl::btree_map<std::pair<Version, int>, ArrayPart>
      orphans_;  // By (writer, position): the writer was dropped.
  VersionSet dropped_;
  size_t skeleton_count_ = 0;
  Garbage* garbage_ = nullptr;  // While a snapshot is dropped: what goes with it.
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_SNAPSHOT_TREE_H_
