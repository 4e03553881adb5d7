#ifndef STEPWELL_CLIENT_CLI_ARRAY_TEXT_H_
#define STEPWELL_CLIENT_CLI_ARRAY_TEXT_H_

#include <string>

#include "stepwell/array/array.h"

namespace stepwell::cli {

// The array as str(array) of numpy 2.4 gives it with its default print options: in brackets, its elements
// aligned, at most 8 digits after the point, lines of 75 columns, and of more than 1000 elements only three
// at each end of each axis. bfloat16, which numpy does not have, is written as float16 is. No newline at the
// end.
std::string ArrayToText(const Array& array);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_ARRAY_TEXT_H_
