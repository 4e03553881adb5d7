#ifndef STEPWELL_MODEL_PACKAGE_STAGING_H_
#define STEPWELL_MODEL_PACKAGE_STAGING_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stepwell/model/package_files.h"

namespace stepwell {

// A package on its way into a repository: it lies in a hidden folder of its own beside the packages, where
// nothing looks for it, until it is moved to its place as a whole. What lies there goes with this object.
// Every call may wait for the disk. Thread-compatible.
class PackageStaging {
 public:
  // For the package `name` (see CheckModelName) in the repository at `root`, with `files`, which must have
  // passed CheckPackageFiles. A package whose only file is NAME.onnx is a lone file. FAILED_PRECONDITION
  // (REPOSITORY_READ_ONLY): nothing can be written there.
  static absl::StatusOr<std::unique_ptr<PackageStaging>> Make(const std::filesystem::path& root,
                                                              std::string name,
                                                              std::vector<PackageFile> files);
  ~PackageStaging();
  PackageStaging(const PackageStaging&) = delete;
  PackageStaging& operator=(const PackageStaging&) = delete;

  // Removes what processes that have ended left in the repository at `root`, and nothing that one still uses.
  static void RemoveLeftovers(const std::filesystem::path& root);

  // Adds the next bytes: of the files in their order, without a break. INVALID_ARGUMENT: there are more than
  // the files have. RESOURCE_EXHAUSTED: the disk is full. INTERNAL: it fails.
  absl::Status Write(absl::string_view bytes);

  // To call once, after the last byte: on success the package is whole, and will be after a crash.
  // INVALID_ARGUMENT: bytes are missing. Else as Write.
  absl::Status Finish();

  // Moves the package to where the repository has the one of its name, in one step, and what is there away.
  // Call it once, after Finish. FAILED_PRECONDITION: the file system cannot do that in one step. INTERNAL: it
  // fails.
  absl::Status Place();

  const std::string& name() const { return name_; }
  bool is_lone_file() const { return is_lone_file_; }

  // Where the package lies before Place: a folder, or the lone file.
  const std::filesystem::path& path() const { return path_; }

 private:
  PackageStaging(std::filesystem::path root, std::string name, std::vector<PackageFile> files);

  absl::Status MakeFolder();
  absl::Status OpenFile();
  absl::Status CloseFile();
  std::filesystem::path PathOf(const PackageFile& file) const;

  const std::filesystem::path root_;
  const std::string name_;
  const std::vector<PackageFile> files_;
  const bool is_lone_file_;
  std::filesystem::path folder_;  // That is hidden; empty before it is made.
  std::filesystem::path path_;
  int lock_ = -1;         // Says, for as long as it is open, that the folder is in use.
  int64_t expected_ = 0;  // Bytes of all files.
  int64_t received_ = 0;
  size_t file_ = 0;      // That the next byte belongs to,
  int64_t offset_ = 0;   // where in it,
  int descriptor_ = -1;  // and what it is written to, once opened.
};

}  // namespace stepwell

#endif  // STEPWELL_MODEL_PACKAGE_STAGING_H_
