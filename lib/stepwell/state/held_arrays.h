#ifndef STEPWELL_STATE_HELD_ARRAYS_H_
#define STEPWELL_STATE_HELD_ARRAYS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/array/array.h"
#include "stepwell/state/snapshot.h"

namespace stepwell {

// The memory that the arrays of some snapshots take together. An array counts once, however many of them
// share it, and so does memory that versions of a growing array share, with the room that it has left. It is
// told apart by where it lies: what was read from a store twice lies twice. A small array counts with each
// snapshot that has it, so that counting costs less than keeping it. Thread-safe.
class HeldArrays {
 public:
  // Arrays of fewer bytes are small.
  static constexpr int64_t kSmall = 1024;

  // Counts `snapshot`, whose arrays must live until it is removed.
  void Add(const Snapshot& snapshot);

  // Counts `snapshot`, which was added, no more.
  void Remove(const Snapshot& snapshot);

  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Memory {
    int64_t bytes = 0;
    int64_t count = 0;  // Of arrays in it.
  };
  // Spread by address, so that steps of different streams do not wait for one lock.
  struct Shard {
    absl::Mutex mutex;
    absl::flat_hash_map<const std::byte*, Memory> by_address ABSL_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 16;

  Shard& ShardOf(const std::byte* address);
  // What it takes beside what was counted, and what nobody takes any more.
  int64_t AddLarge(const Array& array);
  int64_t RemoveLarge(const Array& array);

  std::atomic<int64_t> bytes_ = 0;
  std::array<Shard, kShards> shards_;
};

}  // namespace stepwell

#endif  // STEPWELL_STATE_HELD_ARRAYS_H_
