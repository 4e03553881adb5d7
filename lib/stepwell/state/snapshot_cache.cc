#include "stepwell/state/snapshot_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace stepwell {
namespace {

// Of the arrays that were appended to.
int64_t GrownBytes(const Snapshot& snapshot) {
  if (snapshot.record().chains.empty()) return 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < snapshot.arrays().size(); ++i) {
    if (snapshot.record().chains.Find(static_cast<int>(i)) != nullptr) {
      bytes += snapshot.arrays()[i].byte_count();
    }
  }
  return bytes;
}

// Gathers the arrays of one record. The store may answer from several threads; the last answer finishes it.
class ArrayGatherer {
 public:
  ArrayGatherer(SnapshotCache* cache, SnapshotCache::Epoch epoch,
                std::shared_ptr<const SnapshotRecord> record, SnapshotCache::SnapshotCallback done)
      : cache_(cache),
        epoch_(epoch),
        record_(std::move(record)),
        done_(std::move(done)),
        arrays_(record_->writers.size()) {}

  static void Start(std::shared_ptr<ArrayGatherer> self, Store* store) {
    const size_t count = self->arrays_.size();
    self->missing_ = count + 1;  // One for this function, which ends after the last read was asked for.
    for (size_t position = 0; position < count; ++position) {
      store->ReadArray(
          self->record_->writers[position], static_cast<int>(position),
          [self, position](absl::StatusOr<Array> array) { self->Add(position, std::move(array)); });
    }
    self->Finish();
  }

 private:
  void Add(size_t position, absl::StatusOr<Array> array) {
    {
      absl::MutexLock lock(&mutex_);
      if (array.ok()) {
        arrays_[position] = *std::move(array);
      } else {
        status_ = array.status();
      }
    }
    Finish();
  }

  void Finish() {
    {
      absl::MutexLock lock(&mutex_);
      if (--missing_ > 0) return;
    }
    // Nobody else is left.
    if (!status_.ok()) return std::move(done_)(status_);
    auto snapshot = std::make_shared<const Snapshot>(std::move(record_), std::move(arrays_));
    cache_->Put(snapshot, epoch_);
    std::move(done_)(std::move(snapshot));
  }

  SnapshotCache* const cache_;
  const SnapshotCache::Epoch epoch_;
  std::shared_ptr<const SnapshotRecord> record_;
  SnapshotCache::SnapshotCallback done_;
  absl::Mutex mutex_;
  Snapshot::Arrays arrays_;
  absl::Status status_;
  size_t missing_ = 0;
};

}  // namespace

SnapshotCache::SnapshotCache(Store* store, size_t capacity, int64_t max_grown_bytes)
    : store_(store),
      capacity_per_shard_(std::max<size_t>(1, (capacity + kShards - 1) / kShards)),
      grown_bytes_per_shard_(max_grown_bytes / static_cast<int64_t>(kShards)) {}

std::shared_ptr<const Snapshot> SnapshotCache::Find(Version version, bool to_step) {
  Shard& shard = ShardOf(version);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.by_version.find(version);
  if (found == shard.by_version.end()) return nullptr;
  Entry& entry = *found->second;
  const bool first_step = to_step && !std::exchange(entry.stepped, entry.stepped || to_step);
  const auto place = first_step ? shard.recency.end() : shard.recency.begin();
  shard.recency.splice(place, shard.recency, found->second);
  return entry.snapshot;
}

void SnapshotCache::Get(Version version, bool to_step, SnapshotCallback done) {
  std::shared_ptr<const Snapshot> snapshot = Find(version, to_step);
  if (snapshot != nullptr) return std::move(done)(std::move(snapshot));
  Load(version, std::move(done));
}

void SnapshotCache::Load(Version version, SnapshotCallback done) {
  store_->ReadSnapshot(version, [this, epoch = epoch(), done = std::move(done)](
                                    absl::StatusOr<std::shared_ptr<const SnapshotRecord>> record) mutable {
    if (!record.ok()) return std::move(done)(record.status());
    ArrayGatherer::Start(std::make_shared<ArrayGatherer>(this, epoch, *std::move(record), std::move(done)),
                         store_);
  });
}

void SnapshotCache::Put(std::shared_ptr<const Snapshot> snapshot, Epoch epoch) {
  const Version version = snapshot->version();
  const int64_t grown_bytes = GrownBytes(*snapshot);
  Shard& shard = ShardOf(version);
  // Freed after the lock, which may be the last reference to large arrays.
  std::shared_ptr<const Snapshot> evicted;
  Recency evicted_grown;
  absl::MutexLock lock(&shard.mutex);
  if (epoch_.load(std::memory_order_relaxed) != epoch) return;
  const auto found = shard.by_version.find(version);
  if (found != shard.by_version.end()) {
    shard.recency.splice(shard.recency.begin(), shard.recency, found->second);
    return;
  }
  Entry entry{std::move(snapshot), grown_bytes};
  if (shard.recency.size() < capacity_per_shard_) {
    shard.recency.push_front(std::move(entry));
  } else {
    shard.recency.splice(shard.recency.begin(), shard.recency, std::prev(shard.recency.end()));
    Entry last = std::exchange(shard.recency.front(), std::move(entry));
    shard.grown_bytes -= last.grown_bytes;
    shard.by_version.erase(last.snapshot->version());
    evicted = std::move(last.snapshot);
  }
  shard.by_version.emplace(version, shard.recency.begin());
  if (grown_bytes == 0) return;
  shard.grown_bytes += grown_bytes;
  evicted_grown = EvictGrown(shard);
}

SnapshotCache::Recency SnapshotCache::EvictGrown(Shard& shard) const {
  Recency evicted;
  for (auto at = std::prev(shard.recency.end());
       shard.grown_bytes > grown_bytes_per_shard_ && at != shard.recency.begin();) {
    const auto entry = at--;
    if (entry->grown_bytes == 0) continue;
    shard.grown_bytes -= entry->grown_bytes;
    shard.by_version.erase(entry->snapshot->version());
    evicted.splice(evicted.end(), shard.recency, entry);
  }
  return evicted;
}

// Who puts a snapshot in either sees that the epoch is another one, or has put it in before it is taken out.
void SnapshotCache::Erase(absl::Span<const Version> versions) {
  epoch_.fetch_add(1, std::memory_order_acq_rel);
  for (const Version version : versions) {
    Shard& shard = ShardOf(version);
    std::shared_ptr<const Snapshot> erased;  // Freed after the lock.
    absl::MutexLock lock(&shard.mutex);
    const auto found = shard.by_version.find(version);
    if (found == shard.by_version.end()) continue;
    erased = std::move(found->second->snapshot);
    shard.grown_bytes -= found->second->grown_bytes;
    shard.recency.erase(found->second);
    shard.by_version.erase(found);
  }
}

}  // namespace stepwell
