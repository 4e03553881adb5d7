#ifndef STEPWELL_MODEL_PACKAGE_FILES_H_
#define STEPWELL_MODEL_PACKAGE_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace stepwell {

// A file of a package that is announced by someone who may mean no good.
struct PackageFile {
  std::string path;  // Within the package, with "/" between its parts.
  int64_t byte_count = 0;
};

// OK when a folder of its own can hold `files`, each at its path and nothing outside, as one package of at
// most `max_bytes`. INVALID_ARGUMENT, with the path and what is expected: no file, more than 4096 of them, a
// negative size, two of one path, a file where another needs a folder, or a path that is not 1 to 16 names of
// at most 255 bytes and 1024 altogether, none of them beginning with ".", without backslashes and control
// characters. RESOURCE_EXHAUSTED (UPLOAD_TOO_LARGE, with limit): more bytes.
absl::Status CheckPackageFiles(absl::Span<const PackageFile> files, int64_t max_bytes);

}  // namespace stepwell

#endif  // STEPWELL_MODEL_PACKAGE_FILES_H_
