#include "client/src/package_source.h"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace stepwell::client {
namespace {

namespace fs = std::filesystem;

absl::Status CannotRead(const fs::path& path, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat("\"", path.string(), "\" cannot be read: ", why));
}

// Whether `path` lies below `folder`; both are canonical.
bool LiesIn(const fs::path& path, const fs::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

}  // namespace

absl::StatusOr<PackageSource> PackageSource::Open(const UploadModelRequest& request) {
  PackageSource source;
  std::error_code error;
  const fs::path path = fs::canonical(request.package, error);
  absl::Status listed;
  if (!error && fs::is_directory(path, error)) {
    source.header_.set_name(request.name.empty() ? path.filename().string() : request.name);
    listed = source.ListFolder(path);
  } else if (!error && request.package.extension() == ".onnx" && fs::is_regular_file(path, error)) {
    source.header_.set_name(request.name.empty() ? request.package.stem().string() : request.name);
    listed = source.Add(path, absl::StrCat(source.header_.name(), ".onnx"));
  } else {
    listed = absl::NotFoundError(
        absl::StrCat("\"", request.package.string(), "\" is neither a folder nor a .onnx file"));
  }
  if (!listed.ok()) return listed;
  source.header_.set_replace(request.replace);
  source.header_.set_digest(request.digest);
  return source;
}

absl::Status PackageSource::ListFolder(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    if (absl::StartsWith(path.filename().string(), ".")) {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_symlink(error)) {
      const fs::path target = fs::canonical(path, error);
      if (error || !LiesIn(target, folder)) {
        return CannotRead(path, "the symbolic link leads out of the package or nowhere");
      }
    }
    if (entry->is_regular_file(error)) found.push_back(path);
  }
  if (error) return CannotRead(folder, error.message());
  std::ranges::sort(found);
  for (const fs::path& file : found) {
    absl::Status added = Add(file, file.lexically_relative(folder).generic_string());
    if (!added.ok()) return added;
  }
  return absl::OkStatus();
}

absl::Status PackageSource::Add(const fs::path& file, std::string path) {
  std::error_code error;
  const auto bytes = static_cast<int64_t>(fs::file_size(file, error));
  if (error) return CannotRead(file, error.message());
  auto& entry = *header_.add_files();
  entry.set_path(std::move(path));
  entry.set_byte_count(bytes);
  files_.push_back(file);
  byte_count_ += bytes;
  return absl::OkStatus();
}

absl::Status PackageSource::Read(size_t size, absl::FunctionRef<bool(std::string)> take) const {
  for (size_t i = 0; i < files_.size(); ++i) {
    std::ifstream file(files_[i], std::ios::binary);
    auto left = static_cast<size_t>(header_.files(static_cast<int>(i)).byte_count());
    while (left > 0) {
      std::string piece(std::min(left, size), '\0');
      if (!file.read(piece.data(), static_cast<std::streamsize>(piece.size()))) {
        return CannotRead(files_[i], absl::StrCat("it ended, or failed, ", left, " bytes before its end"));
      }
      left -= piece.size();
      if (!take(std::move(piece))) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

}  // namespace stepwell::client
