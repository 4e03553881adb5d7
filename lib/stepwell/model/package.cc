#include "stepwell/model/package.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "stepwell/base/sha256.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

absl::Status FileSystemError(const fs::path& path, const std::error_code& error) {
  return absl::InternalError(absl::StrCat("\"", absl::CHexEscape(path.string()), "\": ", error.message()));
}

// Whether `path` lies below `folder`; both are canonical.
bool IsInside(const fs::path& path, const fs::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

// Calls `use` with the pieces of the file's content.
template <typename Use>
absl::Status ReadPieces(const fs::path& path, Use use) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> piece(size_t{1} << 18);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    use(absl::string_view(piece.data(), static_cast<size_t>(file.gcount())));
  }
  if (file.eof()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("\"", absl::CHexEscape(path.string()), "\" cannot be read"));
}

}  // namespace

absl::StatusOr<Package> Package::Open(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (!error && fs::is_directory(real, error)) {
    Package package(real, false);
    if (absl::Status status = package.ListFolder(); !status.ok()) return status;
    return package;
  }
  if (!error && path.extension() == ".onnx" && fs::is_regular_file(real, error)) {
    // By its own name, where it is a link: that is what messages and the digest are to say.
    Package package(fs::canonical(path.parent_path(), error), true);
    package.files_ = {path.filename().string()};
    if (error) return FileSystemError(path, error);
    return package;
  }
  return absl::NotFoundError(absl::StrCat("\"", path.string(), "\" is neither a folder nor a .onnx file"));
}

absl::Status Package::ListFolder() {
  std::error_code error;
  fs::recursive_directory_iterator entry(folder_, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    const std::string name = path.lexically_relative(folder_).generic_string();
    if (absl::StartsWith(path.filename().string(), ".")) {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_symlink(error)) {
      const fs::path target = fs::canonical(path, error);
      if (error || !IsInside(target, folder_)) {
        return absl::FailedPreconditionError(
            absl::StrCat(absl::CHexEscape(name), ": the symbolic link leads ",
                         error ? "nowhere" : "out of the package", "; expected a file inside the package"));
      }
    }
    if (entry->is_regular_file(error)) files_.push_back(name);
  }
  if (error) return FileSystemError(folder_, error);
  std::ranges::sort(files_);
  return absl::OkStatus();
}

absl::StatusOr<fs::path> Package::Find(absl::string_view file) const {
  const fs::path path(std::string{file});
  if (path.empty() || path.is_absolute() || std::ranges::find(path, "..") != path.end()) {
    return absl::InvalidArgumentError(absl::StrCat("path \"", absl::CHexEscape(file),
                                                   "\" leaves the package; expected a path inside of it"));
  }
  const std::string normal = path.lexically_normal().generic_string();
  if (!std::ranges::binary_search(files_, normal)) {
    return absl::NotFoundError(absl::StrCat("file \"", absl::CHexEscape(file), "\" is not in the package"));
  }
  return folder_ / normal;
}

absl::StatusOr<std::string> Package::Read(absl::string_view file) const {
  const absl::StatusOr<fs::path> path = Find(file);
  if (!path.ok()) return path.status();
  std::string content;
  absl::Status status =
      ReadPieces(*path, [&content](absl::string_view piece) { absl::StrAppend(&content, piece); });
  if (!status.ok()) return status;
  return content;
}

template <typename Visit>
absl::StatusOr<std::string> Package::DigestFiles(Visit visit) const {
  Sha256 all;
  for (const std::string& file : files_) {
    Sha256 one;
    uint64_t size = 0;
    const absl::Status read = visit(file, [&](absl::string_view piece) {
      one.Add(piece);
      size += piece.size();
    });
    if (!read.ok()) return read;
    all.Add(absl::StrCat(file.size(), ":", file, ":", size, ":", one.Finish()));
  }
  return absl::StrCat("sha256:", absl::BytesToHexString(all.Finish()));
}

absl::StatusOr<std::string> Package::Digest() const {
  return DigestFiles([this](const std::string& file, auto add) { return ReadPieces(folder_ / file, add); });
}

absl::StatusOr<std::string> Package::CopyTo(const fs::path& folder) const {
  return DigestFiles([this, &folder](const std::string& file, auto add) -> absl::Status {
    const fs::path copy = folder / file;
    std::error_code error;
    fs::create_directories(copy.parent_path(), error);
    if (error) return FileSystemError(copy.parent_path(), error);
    std::ofstream written(copy, std::ios::binary);
    const absl::Status read = ReadPieces(folder_ / file, [&](absl::string_view piece) {
      add(piece);
      written.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    });
    written.close();
    if (!read.ok() || written) return read;
    return absl::InternalError(
        absl::StrCat("\"", absl::CHexEscape(copy.string()), "\" cannot be written; is the disk full?"));
  });
}

absl::Status CheckModelName(absl::string_view name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  };
  if (!name.empty() && name.size() <= 128 && name[0] != '.' && name[0] != '-' &&
      std::ranges::all_of(name, allowed)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("model name \"", absl::CHexEscape(name.substr(0, 128)),
                                                 "\": expected 1 to 128 letters, digits, \"_\", \"-\" or "
                                                 "\".\", beginning with a letter, digit or \"_\""));
}

}  // namespace stepwell
