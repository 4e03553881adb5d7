#ifndef STEPWELL_STATE_SNAPSHOT_DROP_H_
#define STEPWELL_STATE_SNAPSHOT_DROP_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "stepwell/state/snapshot_cache.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// Drops all of `drop` from `store`, or nothing, as Store::DropSnapshots does; before `done` is told of it,
// `cache` has forgotten them. Both must outlive the call.
inline void DropSnapshots(Store* store, SnapshotCache* cache, SnapshotDrop drop, Durability durability,
                          Store::Callback<int64_t> done) {
  std::vector<Version> versions = drop.versions;
  store->DropSnapshots(std::move(drop), durability,
                       [cache, versions = std::move(versions),
                        done = std::move(done)](absl::StatusOr<int64_t> freed_bytes) mutable {
                         if (freed_bytes.ok()) cache->Erase(versions);
                         std::move(done)(std::move(freed_bytes));
                       });
}

}  // namespace stepwell

#endif  // STEPWELL_STATE_SNAPSHOT_DROP_H_
