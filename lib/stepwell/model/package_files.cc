#include "stepwell/model/package_files.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "stepwell/base/error_info.h"

namespace stepwell {
namespace {

constexpr size_t kMaxFiles = 4096;
constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kMaxNameBytes = 255;  // What file systems take.
constexpr size_t kMaxDepth = 16;

absl::Status FileError(absl::string_view path, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("file \"", absl::CHexEscape(path.substr(0, kMaxPathBytes)), "\": ", what));
}

absl::Status CheckPath(absl::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes) {
    return FileError(path,
                     absl::StrCat("the path has ", path.size(), " bytes; expected 1 to ", kMaxPathBytes));
  }
  const auto is_forbidden = [](char c) {
    return c == '\\' || absl::ascii_iscntrl(static_cast<unsigned char>(c));
  };
  if (std::ranges::any_of(path, is_forbidden)) {
    return FileError(path, "expected a path without backslashes and control characters");
  }
  const std::vector<absl::string_view> names = absl::StrSplit(path, '/');
  if (names.size() > kMaxDepth) {
    return FileError(path,
                     absl::StrCat("the path has ", names.size(), " parts; expected at most ", kMaxDepth));
  }
  for (const absl::string_view name : names) {
    if (name.empty() || absl::StartsWith(name, ".")) {
      return FileError(
          path,
          "expected a path inside the package: names with \"/\" between them, none of them empty "
          "or beginning with \".\"");
    }
    if (name.size() > kMaxNameBytes) {
      return FileError(path,
                       absl::StrCat("a name has ", name.size(), " bytes; expected at most ", kMaxNameBytes));
    }
  }
  return absl::OkStatus();
}

absl::Status UploadTooLarge(int64_t limit) {
  return WithErrorInfo(
      absl::ResourceExhaustedError(absl::StrCat("the files of the package have more than ", limit,
                                                " bytes, which is what max_upload_bytes allows")),
      "UPLOAD_TOO_LARGE", {{"limit", absl::StrCat(limit)}});
}

}  // namespace

absl::Status CheckPackageFiles(absl::Span<const PackageFile> files, int64_t max_bytes) {
  if (files.empty() || files.size() > kMaxFiles) {
    return absl::InvalidArgumentError(
        absl::StrCat("the package has ", files.size(), " files; expected 1 to ", kMaxFiles));
  }
  int64_t left = max_bytes;
  absl::flat_hash_set<absl::string_view> paths;
  for (const PackageFile& file : files) {
    if (absl::Status wrong = CheckPath(file.path); !wrong.ok()) return wrong;
    if (!paths.insert(file.path).second) return FileError(file.path, "expected each file once");
    if (file.byte_count < 0) {
      return FileError(file.path, absl::StrCat("byte_count is ", file.byte_count, "; expected 0 or more"));
    }
    if (file.byte_count > left) return UploadTooLarge(max_bytes);
    left -= file.byte_count;
  }
  for (const PackageFile& file : files) {
    const absl::string_view path = file.path;
    for (size_t end = path.find('/'); end != absl::string_view::npos; end = path.find('/', end + 1)) {
      if (paths.contains(path.substr(0, end))) {
        return FileError(path.substr(0, end),
                         absl::StrCat("it is also the folder of \"", path, "\"; expected one of both"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace stepwell
