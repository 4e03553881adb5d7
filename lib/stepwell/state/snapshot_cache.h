#ifndef STEPWELL_STATE_SNAPSHOT_CACHE_H_
#define STEPWELL_STATE_SNAPSHOT_CACHE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "stepwell/state/held_arrays.h"
#include "stepwell/state/snapshot.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// The hot snapshots, whole, in front of a store: the most recently used stay, the others come back from the
// store on demand. A state that moves on leaves its past behind: a snapshot that has been stepped once is the
// next to go, unless it is used again. Dropping a snapshot here drops only this cache's reference.
//
// Both their number and the memory of their arrays are bounded, as HeldArrays counts it, also of arrays that
// a store in memory has as well. Thread-safe.
class SnapshotCache {
 public:
  using SnapshotCallback = Store::Callback<std::shared_ptr<const Snapshot>>;

  // Keeps `capacity` snapshots, rounded up to what its shards divide evenly, one for each at least; and no
  // more than have arrays of `max_bytes` together, or the newest alone. `store` must outlive this.
  SnapshotCache(Store* store, size_t capacity, int64_t max_bytes = std::numeric_limits<int64_t>::max());

  // The snapshot under `version`: inside the call when it is here, else once the store has read it. Errors
  // are the store's: NOT_FOUND (SNAPSHOT_UNKNOWN).
  void Get(Version version, SnapshotCallback done) { Get(version, /*to_step=*/false, std::move(done)); }

  // The same, for whoever makes the next version of it.
  void GetToStep(Version version, SnapshotCallback done) { Get(version, /*to_step=*/true, std::move(done)); }

  // The snapshot under `version` when it is here, else null.
  std::shared_ptr<const Snapshot> Find(Version version) { return Find(version, /*to_step=*/false); }

  // The same, but it is no more recently used by that.
  std::shared_ptr<const Snapshot> Peek(Version version);

  // What Put is to be told: taken before the store was asked for the snapshot, or to commit it.
  using Epoch = uint64_t;
  Epoch epoch() const { return epoch_.load(std::memory_order_acquire); }

  // Makes `snapshot` the most recently used; unless snapshots were dropped since `epoch`, perhaps this one.
  void Put(std::shared_ptr<const Snapshot> snapshot, Epoch epoch);

  // To be called when the store has dropped `versions`: from now on, they are not found here.
  void Erase(absl::Span<const Version> versions);

  // What its arrays take.
  int64_t bytes() const { return held_.bytes(); }

 private:
  struct Entry {
    std::shared_ptr<const Snapshot> snapshot;
    bool stepped = false;
  };
  using Recency = std::list<Entry>;  // The next to go is the last.

  // Spread over shards by version, so that steps of different streams do not wait for one lock.
  struct Shard {
    absl::Mutex mutex;
    Recency recency ABSL_GUARDED_BY(mutex);
    absl::flat_hash_map<Version, Recency::iterator> by_version ABSL_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 16;

  Shard& ShardOf(Version version) { return shards_[static_cast<size_t>(version.value()) % kShards]; }
  void Get(Version version, bool to_step, SnapshotCallback done);
  std::shared_ptr<const Snapshot> Find(Version version, bool to_step);
  void Load(Version version, SnapshotCallback done);
  // Lets go of what is the next to go, in one shard after the other, until the rest is within max_bytes_ or
  // only `newest` is left.
  void EvictBytes(Version newest);
  // The next to go of `shard`, taken out of it; null when that is `newest`, or nothing is there.
  static std::shared_ptr<const Snapshot> TakeLast(Shard& shard, Version newest);

  Store* const store_;
  const size_t capacity_per_shard_;
  const int64_t max_bytes_;
  std::atomic<Epoch> epoch_ = 0;        // Counts the calls of Erase.
  std::atomic<size_t> next_shard_ = 0;  // Is next to let go of something, modulo kShards.
  HeldArrays held_;                     // Of all entries.
  std::array<Shard, kShards> shards_;
};

}  // namespace stepwell

#endif  // STEPWELL_STATE_SNAPSHOT_CACHE_H_
