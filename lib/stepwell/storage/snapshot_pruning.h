#ifndef STEPWELL_STORAGE_SNAPSHOT_PRUNING_H_
#define STEPWELL_STORAGE_SNAPSHOT_PRUNING_H_

#include <optional>

#include "absl/functional/function_ref.h"
#include "stepwell/storage/record.h"

namespace stepwell {

// Where a store keeps the tree that SnapshotTree describes: its snapshots and skeletons, each under the
// nearest ancestor that is here, and the parts of arrays whose writers were dropped. Thread-compatible.
class TreeNodes {
 public:
  struct Node {
    // Of a skeleton: version, writers and chains alone; 0 for an array that it does not connect. Valid until
    // the node changes.
    const SnapshotRecord* record;
    Version parent{0};  // 0 for a root.
    bool is_skeleton;
  };

  virtual ~TreeNodes() = default;

  // Absent: it is not here.
  virtual std::optional<Node> FindNode(Version version) = 0;

  // Calls `visit` with each child of `version`, until that returns false. It must change nothing,
  // nor visit others.
  virtual void VisitChildren(Version version, absl::FunctionRef<bool(Version)> visit) = 0;

  // The skeleton `version` keeps of `record` its writers and chains.
  virtual void SetSkeleton(Version version, SnapshotRecord record) = 0;

  // The node goes, and its place under its parent. It has no children any more.
  virtual void Remove(Version version) = 0;

  // `child` hangs under `parent` (0: it is a root) from now on.
  virtual void Move(Version child, Version parent) = 0;

  // Frees what `writer`, which was dropped, wrote at `position`; answers who wrote the part in front of it.
  virtual std::optional<Version> FreePart(Version writer, int position) = 0;
};

// Removes of the skeleton `version`, which was a snapshot until now, what it does not connect, and perhaps
// itself and what was a skeleton for its sake alone.
void PruneSkeleton(TreeNodes& nodes, Version version);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_SNAPSHOT_PRUNING_H_
