#ifndef STEPWELL_CLIENT_CLI_SAFETENSORS_DTYPE_H_
#define STEPWELL_CLIENT_CLI_SAFETENSORS_DTYPE_H_

#include <iterator>
#include <optional>

#include "absl/strings/string_view.h"
#include "stepwell/array/dtype.h"

namespace stepwell::cli {

// How the safetensors format calls dtypes, in the order of kAllDTypes.
inline constexpr absl::string_view kSafetensorsTags[] = {"BOOL", "I8",  "U8",  "I16",  "U16", "I32", "U32",
                                                         "I64",  "U64", "F16", "BF16", "F32", "F64"};
static_assert(std::size(kSafetensorsTags) == std::size(kAllDTypes));

inline absl::string_view SafetensorsTag(DType dtype) {
  for (size_t i = 0; i < std::size(kAllDTypes); ++i) {
    if (kAllDTypes[i] == dtype) return kSafetensorsTags[i];
  }
  return "";
}

inline std::optional<DType> DTypeOfSafetensorsTag(absl::string_view tag) {
  for (size_t i = 0; i < std::size(kAllDTypes); ++i) {
    if (kSafetensorsTags[i] == tag) return kAllDTypes[i];
  }
  return std::nullopt;
}

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_SAFETENSORS_DTYPE_H_
