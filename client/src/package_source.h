#ifndef STEPWELL_CLIENT_SRC_PACKAGE_SOURCE_H_
#define STEPWELL_CLIENT_SRC_PACKAGE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "stepwell/client/types.h"
#include "stepwell/v1/model_service.pb.h"

namespace stepwell::client {

// The files of a package on this machine, as they are uploaded. Immutable; reads what is there at the time.
class PackageSource {
 public:
  // Lists what the request names: of a folder every regular file below it but hidden ones, or the one .onnx
  // file. NOT_FOUND: it is neither. FAILED_PRECONDITION: a symbolic link leads out of the folder, or a folder
  // cannot be read.
  static absl::StatusOr<PackageSource> Open(const UploadModelRequest& request);

  const v1::UploadModelRequest::Header& header() const { return header_; }
  int64_t byte_count() const { return byte_count_; }

  // Calls `take` with the files' bytes, in pieces of up to `size`, until it returns false.
  // FAILED_PRECONDITION: a file cannot be read as far as the header says.
  absl::Status Read(size_t size, absl::FunctionRef<bool(std::string)> take) const;

 private:
  PackageSource() = default;

  absl::Status ListFolder(const std::filesystem::path& folder);
  absl::Status Add(const std::filesystem::path& file, std::string path);

  v1::UploadModelRequest::Header header_;
  std::vector<std::filesystem::path> files_;  // As the header has them.
  int64_t byte_count_ = 0;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_SRC_PACKAGE_SOURCE_H_
