#ifndef STEPWELL_ENGINE_MOVED_HISTORY_H_
#define STEPWELL_ENGINE_MOVED_HISTORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stepwell/engine/requests.h"

namespace stepwell {

// A state, or a state with its ancestors, on its way from one store to another: the snapshots one after the
// other, oldest first, each the parent of the next.

struct MovedArray {
  std::string index;
  Array array;
  bool appends = false;  // These are rows, behind what the snapshot before has at the index.
};

struct MovedSnapshot {
  Version version{0};  // In the store that it comes from.
  int64_t revision = 0;
  std::string method;
  absl::Time create_time;
  Labels labels;
  int64_t step_count = 0;
  bool pinned = false;
  std::vector<MovedArray> arrays;  // What the snapshot before does not have; of the first, all.
};

// What is told before the snapshots.
struct MovedHistory {
  struct Revision {
    int64_t number = 0;
    std::string digest;  // Of the package.
  };
  std::string model;
  std::vector<Revision> revisions;  // That made the snapshots.
  int64_t snapshot_count = 0;       // At least 1.
};

struct ExportSnapshotsRequest {
  StateRef state = Version(0);
  bool history = false;  // Its ancestors, too, those that are still there.
};

struct ImportSnapshotsRequest {
  MovedHistory history;
  std::string branch;  // To create, with the last snapshot as its head.
  // That the snapshots are of from now on. Same: the ones of the same digests.
  RevisionChoice revision;
  bool adapt_state = false;
  std::string request_id;
  std::optional<Durability> durability;
  CallContext call;
};

struct ImportSnapshotsResult {
  SnapshotInfo snapshot;  // The head.
  BranchRecord branch;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_MOVED_HISTORY_H_
