#include "stepwell/state/held_arrays.h"

#include "absl/hash/hash.h"

namespace stepwell {

HeldArrays::Shard& HeldArrays::ShardOf(const std::byte* address) {
  return shards_[absl::HashOf(address) % kShards];
}

int64_t HeldArrays::AddLarge(const Array& array) {
  const std::byte* const address = array.bytes().data();
  const auto bytes = static_cast<int64_t>(array.data().capacity());
  Shard& shard = ShardOf(address);
  absl::MutexLock lock(&shard.mutex);
  Memory& memory = shard.by_address[address];
  ++memory.count;
  // One array may be the beginning of another.
  const int64_t added = bytes > memory.bytes ? bytes - memory.bytes : 0;
  memory.bytes += added;
  return added;
}

int64_t HeldArrays::RemoveLarge(const Array& array) {
  const std::byte* const address = array.bytes().data();
  Shard& shard = ShardOf(address);
  absl::MutexLock lock(&shard.mutex);
  const auto memory = shard.by_address.find(address);
  if (--memory->second.count > 0) return 0;
  const int64_t bytes = memory->second.bytes;
  shard.by_address.erase(memory);
  return bytes;
}

void HeldArrays::Add(const Snapshot& snapshot) {
  int64_t bytes = 0;
  for (const Array& array : snapshot.arrays()) {
    bytes += array.byte_count() < kSmall ? array.byte_count() : AddLarge(array);
  }
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void HeldArrays::Remove(const Snapshot& snapshot) {
  int64_t bytes = 0;
  for (const Array& array : snapshot.arrays()) {
    bytes += array.byte_count() < kSmall ? array.byte_count() : RemoveLarge(array);
  }
  bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

}  // namespace stepwell
