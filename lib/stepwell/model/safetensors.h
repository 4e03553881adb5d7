#ifndef STEPWELL_MODEL_SAFETENSORS_H_
#define STEPWELL_MODEL_SAFETENSORS_H_

#include <filesystem>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stepwell/array/array.h"
#include "stepwell/array/buffer.h"

namespace stepwell {

// The tensors of a .safetensors file, by name.
using Safetensors = absl::btree_map<std::string, Array>;

// Reads the safetensors format: 8 bytes of header length (little endian), a JSON header that gives each
// tensor's dtype, shape and byte range, then the bytes. The arrays share `content`, save where it is not
// aligned for a dtype.
//
// INVALID_ARGUMENT, naming the tensor where there is one: the header is cut off, longer than 100 MB, or no
// JSON object of the format; a name or a field stands there twice; a dtype is unknown or one that arrays do
// not have; a shape is negative or overflows; a byte range is not the shape's size, overlaps another, leaves
// a gap, or ends past the file; bytes follow the last tensor; a bool is neither 0 nor 1.
absl::StatusOr<Safetensors> ParseSafetensors(Buffer content);

// Reads and parses a file. NOT_FOUND when it cannot be opened, INTERNAL when it cannot be read, or as
// ParseSafetensors, with the path before the message.
absl::StatusOr<Safetensors> ReadSafetensors(const std::filesystem::path& path);

}  // namespace stepwell

#endif  // STEPWELL_MODEL_SAFETENSORS_H_
