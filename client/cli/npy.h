#ifndef STEPWELL_CLIENT_CLI_NPY_H_
#define STEPWELL_CLIENT_CLI_NPY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stepwell/array/array.h"

// Arrays as numpy.save writes them: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
namespace stepwell::cli {

// Whether `bytes` begin as every .npy file does.
bool IsNpy(absl::string_view bytes);

// The array of a .npy file of version 1.0, 2.0 or 3.0. Fortran order becomes C order, and big endian little.
// BadInput: it is no such file, has another dtype than bool, integers or floats of 16 to 64 bits, or holds
// more or fewer bytes than its shape takes.
absl::StatusOr<Array> ParseNpy(absl::string_view bytes);

// The bytes of a .npy file, version 1.0. Since numpy has no bfloat16, such an array is written as float32,
// which holds the same numbers.
std::string WriteNpy(const Array& array);

// The same, into a file. BadInput: it cannot be written.
absl::Status WriteNpyFile(const Array& array, const std::string& file);

// `array` as bfloat16, when it is float32 and every element is a bfloat16: the reverse of what WriteNpy did.
// BadInput, naming an element, otherwise.
absl::StatusOr<Array> NarrowToBFloat16(const Array& array);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_NPY_H_
