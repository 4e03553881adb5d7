#include "stepwell/state/snapshot_cache.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace stepwell {
namespace {

// Whether `snapshot` has the array that `writer` left at `position`.
bool HasArray(const Snapshot* snapshot, Version writer, size_t position) {
  if (snapshot == nullptr) return false;
  const auto& writers = snapshot->record().writers;
  return position < writers.size() && writers[position] == writer;
}

// Gathers the arrays of one record: from its parent or from who wrote them, where those are in the cache, so
// that memory has them once, else from the store. The store may answer from several threads; the last answer
// finishes it.
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
    const std::optional<Version> parent_version = self->record_->parent;
    const auto parent = parent_version.has_value() ? self->cache_->Peek(*parent_version) : nullptr;
    std::shared_ptr<const Snapshot> last_writer;  // Often that of the next array, too.
    for (size_t position = 0; position < count; ++position) {
      const Version writer = self->record_->writers[position];
      if (HasArray(parent.get(), writer, position)) {
        self->Add(position, parent->arrays()[position]);
        continue;
      }
      if (last_writer == nullptr || last_writer->version() != writer)
        last_writer = self->cache_->Peek(writer);
      if (HasArray(last_writer.get(), writer, position)) {
        self->Add(position, last_writer->arrays()[position]);
        continue;
      }
      store->ReadArray(writer, static_cast<int>(position), [self, position](absl::StatusOr<Array> array) {
        self->Add(position, std::move(array));
      });
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

SnapshotCache::SnapshotCache(Store* store, size_t capacity, int64_t max_bytes)
    : store_(store),
      capacity_per_shard_(std::max<size_t>(1, (capacity + kShards - 1) / kShards)),
      max_bytes_(max_bytes) {}

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

std::shared_ptr<const Snapshot> SnapshotCache::Peek(Version version) {
  Shard& shard = ShardOf(version);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.by_version.find(version);
  return found == shard.by_version.end() ? nullptr : found->second->snapshot;
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
  Shard& shard = ShardOf(version);
  // Let go of after the lock, which may be the last reference to large arrays.
  std::shared_ptr<const Snapshot> evicted;
  {
    absl::MutexLock lock(&shard.mutex);
    if (epoch_.load(std::memory_order_relaxed) != epoch) return;
    const auto found = shard.by_version.find(version);
    if (found != shard.by_version.end()) {
      shard.recency.splice(shard.recency.begin(), shard.recency, found->second);
      return;
    }
    held_.Add(*snapshot);
    Entry entry{std::move(snapshot)};
    if (shard.recency.size() < capacity_per_shard_) {
      shard.recency.push_front(std::move(entry));
    } else {
      shard.recency.splice(shard.recency.begin(), shard.recency, std::prev(shard.recency.end()));
      evicted = std::exchange(shard.recency.front(), std::move(entry)).snapshot;
      shard.by_version.erase(evicted->version());
    }
    shard.by_version.emplace(version, shard.recency.begin());
  }
  if (evicted != nullptr) held_.Remove(*evicted);
  if (held_.bytes() > max_bytes_) EvictBytes(version);
}

void SnapshotCache::EvictBytes(Version newest) {
  for (size_t without = 0; without < kShards && held_.bytes() > max_bytes_;) {
    Shard& shard = shards_[next_shard_.fetch_add(1, std::memory_order_relaxed) % kShards];
    const std::shared_ptr<const Snapshot> evicted = TakeLast(shard, newest);
    if (evicted == nullptr) {
      ++without;
    } else {
      held_.Remove(*evicted);
      without = 0;
    }
  }
}

std::shared_ptr<const Snapshot> SnapshotCache::TakeLast(Shard& shard, Version newest) {
  absl::MutexLock lock(&shard.mutex);
  if (shard.recency.empty() || shard.recency.back().snapshot->version() == newest) return nullptr;
  std::shared_ptr<const Snapshot> last = std::move(shard.recency.back().snapshot);
  shard.recency.pop_back();
  shard.by_version.erase(last->version());
  return last;
}

// Who puts a snapshot in either sees that the epoch is another one, or has put it in before it is taken out.
void SnapshotCache::Erase(absl::Span<const Version> versions) {
  epoch_.fetch_add(1, std::memory_order_acq_rel);
  for (const Version version : versions) {
    Shard& shard = ShardOf(version);
    std::shared_ptr<const Snapshot> erased;  // Let go of after the lock.
    {
      absl::MutexLock lock(&shard.mutex);
      const auto found = shard.by_version.find(version);
      if (found == shard.by_version.end()) continue;
      erased = std::move(found->second->snapshot);
      shard.recency.erase(found->second);
      shard.by_version.erase(found);
    }
    held_.Remove(*erased);
  }
}

}  // namespace stepwell
