#ifndef STEPWELL_STORAGE_ROCKSDB_CHECKSUM_H_
#define STEPWELL_STORAGE_ROCKSDB_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace stepwell {

// The 64-bit XXH3 of `parts`, one behind the other.
uint64_t Checksum(std::initializer_list<absl::Span<const std::byte>> parts);

// The CRC-32C (Castagnoli) of `text`: what RocksDB's logs have.
uint32_t Crc32c(absl::string_view text);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_CHECKSUM_H_
