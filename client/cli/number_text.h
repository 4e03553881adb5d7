#ifndef STEPWELL_CLIENT_CLI_NUMBER_TEXT_H_
#define STEPWELL_CLIENT_CLI_NUMBER_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "stepwell/array/array.h"

namespace stepwell::cli {

// The one element of a scalar, as numpy writes it.
std::string ScalarToText(const Array& scalar);

// The elements of `array` at `offsets`, in C order, all equally wide: as numpy writes them in one array.
std::vector<std::string> ElementsToText(const Array& array, const std::vector<int64_t>& offsets);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_NUMBER_TEXT_H_
