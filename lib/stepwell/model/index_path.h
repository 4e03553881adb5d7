#ifndef STEPWELL_MODEL_INDEX_PATH_H_
#define STEPWELL_MODEL_INDEX_PATH_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace stepwell {

// The longest index, in bytes.
inline constexpr size_t kMaxIndexLength = 512;

// The syntax of an index, the key path of a state array:
//
//   path      = ( name | subscript ) { "." name | subscript }
//   name      = ( letter | "_" ) { letter | digit | "_" }
//   subscript = "[" digits "]" | "['" text "']" | "[\"" text "\"]"
//
// as in layers[0].norm.running_mean, cache[0], a.b[1][2], params['w'] and [0].bias. Letters and digits are
// ASCII's. `digits` is a number without leading zeros; `text` is at least one printable character other than
// quotes and backslash. Two paths are the same index only when they are the same text.
//
// INVALID_ARGUMENT, quoting `path` and telling the offset of what is wrong, unless `path` is such a path of
// at most kMaxIndexLength bytes.
absl::Status CheckIndexPath(absl::string_view path);

// Whether `index` is `path` itself or lies below it: "layers[0].norm" lies below "layers[0]" and "layers",
// but not below "layer" or "layers[0].no". Everything lies below "".
bool IsAtOrBelow(absl::string_view index, absl::string_view path);

}  // namespace stepwell

#endif  // STEPWELL_MODEL_INDEX_PATH_H_
