#ifndef STEPWELL_MODEL_PACKAGE_H_
#define STEPWELL_MODEL_PACKAGE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace stepwell {

// The files of one package: a folder with a model.textproto, or a lone .onnx file. Nothing outside of it is
// reached through this class. Files are to be replaced (renamed over), never rewritten in place, while a
// server runs: loaded models map them. Thread-safe.
class Package {
 public:
  static constexpr char kTextFile[] = "model.textproto";

  // Lists the package at `path`: every regular file of the folder and its subfolders, save those below a name
  // that begins with ".", and symbolic links that lead to files inside the folder; or the one file.
  // NOT_FOUND: `path` is neither a folder nor a .onnx file. FAILED_PRECONDITION: a symbolic link leads out of
  // the folder or nowhere. INTERNAL: the file system failed.
  static absl::StatusOr<Package> Open(const std::filesystem::path& path);

  // Whether this is a .onnx file without a folder.
  bool is_lone_file() const { return lone_file_; }

  // The folder that holds the files, without symbolic links in it.
  const std::filesystem::path& folder() const { return folder_; }

  // The files, sorted, relative to the folder, with "/" between the parts.
  const std::vector<std::string>& files() const { return files_; }

  // Where `file` is. INVALID_ARGUMENT: `file` is no relative path or leaves the package. NOT_FOUND: the
  // package has no such file.
  absl::StatusOr<std::filesystem::path> Find(absl::string_view file) const;

  // The content of `file`. Errors as Find; INTERNAL when it cannot be read.
  absl::StatusOr<std::string> Read(absl::string_view file) const;

  // "sha256:" and, in hexadecimal, the SHA-256 of all files' names, sizes and SHA-256, in the order of
  // files(): two packages have the same digest when they have the same files. INTERNAL when a file cannot be
  // read.
  absl::StatusOr<std::string> Digest() const;

  // Makes `folder` and copies the files into it; the digest of what was copied, which is another than
  // Digest() where files have changed in between. INTERNAL when a file cannot be read or written.
  absl::StatusOr<std::string> CopyTo(const std::filesystem::path& folder) const;

 private:
  Package(std::filesystem::path folder, bool lone_file) : folder_(std::move(folder)), lone_file_(lone_file) {}

  absl::Status ListFolder();
  // The digest of what `visit` adds for each file.
  template <typename Visit>
  absl::StatusOr<std::string> DigestFiles(Visit visit) const;

  std::filesystem::path folder_;
  bool lone_file_;
  std::vector<std::string> files_;
};

// INVALID_ARGUMENT, saying what is expected, unless `name` may name a model: ASCII letters, digits, "_", "-"
// and ".", not beginning with "." or "-", at most 128 bytes. Such a name is a file name and reaches nothing
// but itself.
absl::Status CheckModelName(absl::string_view name);

}  // namespace stepwell

#endif  // STEPWELL_MODEL_PACKAGE_H_
