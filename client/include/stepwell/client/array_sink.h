#ifndef STEPWELL_CLIENT_ARRAY_SINK_H_
#define STEPWELL_CLIENT_ARRAY_SINK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "stepwell/array/dtype.h"
#include "stepwell/array/shape.h"
#include "stepwell/client/types.h"

namespace stepwell::client {

/// What ReadArrays is about to hand over.
struct ArraysHeader {
  struct Entry {
    std::string name;  ///< The index.
    DType dtype = DType::kFloat32;
    Shape shape;
    int64_t byte_count = 0;
    int position = 0;  ///< In the state spec.
  };
  Version version;             ///< That is read: of a branch, its head when the call began.
  std::vector<Entry> entries;  ///< In the order of the selectors.
  int64_t byte_count = 0;      ///< Of all entries.
};

/// Takes arrays as they come from the server, none of them held whole by the client: for arrays that are
/// larger than memory, or go elsewhere, such as to a file. The calls come one after the other, and each byte
/// comes once, also where a stream broke and was taken up again. A status that is not OK ends the read, which
/// returns it.
class ArraySink {
 public:
  virtual ~ArraySink() = default;

  /// Once, first.
  virtual absl::Status OnHeader(const ArraysHeader& header) = 0;

  /// The next bytes of header.entries[entry], from `offset` in that array on: C order, little endian. Entries
  /// come one after the other; one without bytes is passed over. `bytes` is valid during this call alone.
  virtual absl::Status OnBytes(size_t entry, int64_t offset, absl::Span<const std::byte> bytes) = 0;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_ARRAY_SINK_H_
