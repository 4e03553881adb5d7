#define XXH_INLINE_ALL  // Nothing is linked, and nothing comes to meet RocksDB's own copy.
#include "stepwell/storage/rocksdb_checksum.h"

#include <xxhash.h>

namespace stepwell {

uint64_t Checksum(std::initializer_list<absl::Span<const std::byte>> parts) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset(&state);
  for (const absl::Span<const std::byte>& part : parts) XXH3_64bits_update(&state, part.data(), part.size());
  return XXH3_64bits_digest(&state);
}

}  // namespace stepwell
