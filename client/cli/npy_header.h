#ifndef STEPWELL_CLIENT_CLI_NPY_HEADER_H_
#define STEPWELL_CLIENT_CLI_NPY_HEADER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace stepwell::cli {

// What the header of a .npy file says.
struct NpyHeader {
  std::string descr;  // Byte order, kind and bytes of an element: "<f4".
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// The header of `text`, a Python dictionary of exactly these three keys: {'descr': '<f4', 'fortran_order':
// False, 'shape': (3, 4), }. BadInput, telling the offset, when it is none.
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view text);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_NPY_HEADER_H_
