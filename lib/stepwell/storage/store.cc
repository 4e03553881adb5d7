#include "stepwell/storage/store.h"

namespace stepwell {

void ApplyTo(BranchRecord& branch, const BranchUpdate& update) {
  if (update.head.has_value()) {
    branch.head = *update.head;
    branch.update_time = update.time;
  }
  if (update.labels.has_value()) branch.labels = *update.labels;
  if (update.expire_time.has_value()) branch.expire_time = *update.expire_time;
  if (update.retention.has_value()) branch.retention = *update.retention;
}

void ApplyTo(SnapshotRecord& record, const SnapshotUpdate& update) {
  if (update.labels.has_value()) record.labels = *update.labels;
  if (update.pinned.has_value()) record.pinned = *update.pinned;
}

}  // namespace stepwell
