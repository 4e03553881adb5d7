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
#include "stepwell/state/snapshot.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// The hot snapshots, whole, in front of a store: the most recently used stay, the others come back from the
// store on demand. A state that moves on leaves its past behind: a snapshot that has been stepped once is the
// next to go, unless it is used again. Dropping a snapshot here drops only this cache's reference.
//
// An array that was appended to is whole here and in rows in the store, so that it takes memory of its own
// here, by the bytes of which such snapshots are bounded, too. Each counts for all of its array, also where
// it shares the bytes with others: these are the versions that it has left behind. Thread-safe.
class SnapshotCache {
 public:
  using SnapshotCallback = Store::Callback<std::shared_ptr<const Snapshot>>;

  // Keeps `capacity` snapshots, rounded up to what its shards divide evenly, one for each at least; of those
  // with arrays that were appended to, in each shard as many as share `max_grown_bytes` fairly, or the newest
  // alone. `store` must outlive this.
  SnapshotCache(Store* store, size_t capacity, int64_t max_grown_bytes = std::numeric_limits<int64_t>::max());

  // The snapshot under `version`: inside the call when it is here, else once the store has read it. Errors
  // are the store's: NOT_FOUND (SNAPSHOT_UNKNOWN).
  void Get(Version version, SnapshotCallback done) { Get(version, /*to_step=*/false, std::move(done)); }

  // The same, for whoever makes the next version of it.
  void GetToStep(Version version, SnapshotCallback done) { Get(version, /*to_step=*/true, std::move(done)); }

  // The snapshot under `version` when it is here, else null.
  std::shared_ptr<const Snapshot> Find(Version version) { return Find(version, /*to_step=*/false); }

  // What Put is to be told: taken before the store was asked for the snapshot, or to commit it.
  using Epoch = uint64_t;
  Epoch epoch() const { return epoch_.load(std::memory_order_acquire); }

  // Makes `snapshot` the most recently used; unless snapshots were dropped since `epoch`, perhaps this one.
  void Put(std::shared_ptr<const Snapshot> snapshot, Epoch epoch);

  // To be called when the store has dropped `versions`: from now on, they are not found here.
  void Erase(absl::Span<const Version> versions);

 private:
  struct Entry {
    std::shared_ptr<const Snapshot> snapshot;
    int64_t grown_bytes = 0;  // Of its arrays that were appended to.
    bool stepped = false;
  };
  using Recency = std::list<Entry>;  // The next to go is the last.

  // Spread over shards by version, so that steps of different streams do not wait for one lock.
  struct Shard {
    absl::Mutex mutex;
    Recency recency ABSL_GUARDED_BY(mutex);
    absl::flat_hash_map<Version, Recency::iterator> by_version ABSL_GUARDED_BY(mutex);
    int64_t grown_bytes ABSL_GUARDED_BY(mutex) = 0;  // Of all entries.
  };
  static constexpr size_t kShards = 16;

  Shard& ShardOf(Version version) { return shards_[static_cast<size_t>(version.value()) % kShards]; }
  void Get(Version version, bool to_step, SnapshotCallback done);
  std::shared_ptr<const Snapshot> Find(Version version, bool to_step);
  void Load(Version version, SnapshotCallback done);
  // Moves the entries that are over the bound of grown bytes out of `shard`, but for the first.
  Recency EvictGrown(Shard& shard) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  Store* const store_;
  const size_t capacity_per_shard_;
  const int64_t grown_bytes_per_shard_;
  std::atomic<Epoch> epoch_ = 0;  // Counts the calls of Erase.
  std::array<Shard, kShards> shards_;
};

}  // namespace stepwell

#endif  // STEPWELL_STATE_SNAPSHOT_CACHE_H_
