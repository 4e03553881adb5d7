#include "stepwell/model/package_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "stepwell/base/error_info.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

constexpr char kDigestStart[] = "sha256:";
constexpr char kUnfinishedStart[] = ".";

absl::Status NotKept(const fs::path& path, absl::string_view detail) {
  return WithErrorInfo(
      absl::InternalError(absl::StrCat("package archive, \"", path.string(), "\": ", detail)),
      "PACKAGE_NOT_KEPT", {{"path", path.string()}});
}

absl::Status PackageNotFound(absl::string_view digest) {
  return WithErrorInfo(absl::NotFoundError(absl::StrCat("package ", digest, " is not kept")),
                       "PACKAGE_NOT_FOUND", {{"digest", std::string(digest)}});
}

absl::Status PackageDamaged(const fs::path& path, absl::string_view digest, absl::string_view found) {
  return WithErrorInfo(
      absl::DataLossError(absl::StrCat("the kept package \"", path.string(), "\" is damaged: its content is ",
                                       found, "; expected ", digest)),
      "PACKAGE_DAMAGED", {{"digest", std::string(digest)}, {"path", path.string()}});
}

// Makes what was written to the file or folder survive a crash of the machine.
absl::Status Sync(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return NotKept(path, std::generic_category().message(errno));
  const int failed = fsync(file) == 0 ? 0 : errno;
  close(file);
  if (failed != 0) return NotKept(path, std::generic_category().message(failed));
  return absl::OkStatus();
}

absl::Status SyncAllOf(const fs::path& folder) {
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const absl::Status synced = Sync(entry->path());
    if (!synced.ok()) return synced;
  }
  if (error) return NotKept(folder, error.message());
  return Sync(folder);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PackageArchive>> PackageArchive::Open(const fs::path& folder) {
  if (mkdir(folder.c_str(), S_IRWXU) == 0) {
    const absl::Status synced = Sync(fs::absolute(folder).parent_path());
    if (!synced.ok()) return synced;
  } else if (errno != EEXIST) {
    return NotKept(folder, std::generic_category().message(errno));
  }
  std::error_code error;
  std::vector<fs::path> unfinished;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (absl::StartsWith(entry->path().filename().string(), kUnfinishedStart)) {
      unfinished.push_back(entry->path());
    }
  }
  for (const fs::path& path : unfinished) {
    if (!error) fs::remove_all(path, error);
  }
  if (error) return NotKept(folder, error.message());
  return absl::WrapUnique(new PackageArchive(folder));
}

fs::path PackageArchive::PathOf(absl::string_view digest) const {
  return folder_ / std::string(absl::StripPrefix(digest, kDigestStart));
}

bool PackageArchive::Has(absl::string_view digest) const {
  std::error_code error;
  return fs::is_directory(PathOf(digest), error);
}

absl::Status PackageArchive::Keep(const Package& package, absl::string_view digest) {
  const absl::MutexLock lock(&mutex_);
  if (Has(digest)) return absl::OkStatus();
  const absl::Status copied = Copy(package, digest);
  if (copied.ok()) return copied;
  std::error_code ignored;  // The next start removes what is left.
  fs::remove_all(folder_ / absl::StrCat(kUnfinishedStart, PathOf(digest).filename().string()), ignored);
  return copied;
}

absl::Status PackageArchive::Copy(const Package& package, absl::string_view digest) const {
  const fs::path path = PathOf(digest);
  const fs::path copy = folder_ / absl::StrCat(kUnfinishedStart, path.filename().string());
  std::error_code error;
  fs::remove_all(copy, error);
  const absl::StatusOr<std::string> copied = package.CopyTo(copy);
  if (!copied.ok()) return NotKept(copy, copied.status().message());
  if (*copied != digest) {
    return absl::FailedPreconditionError(
        absl::StrCat("the package in \"", package.folder().string(),
                     "\" was changed while it was loaded; expected its files to stay as they are: load it "
                     "again"));
  }
  const absl::Status synced = SyncAllOf(copy);
  if (!synced.ok()) return synced;
  fs::rename(copy, path, error);
  if (error) return NotKept(path, error.message());
  return Sync(folder_);
}

absl::StatusOr<Package> PackageArchive::Find(absl::string_view digest) const {
  if (!Has(digest)) return PackageNotFound(digest);
  const fs::path path = PathOf(digest);
  std::error_code error;
  fs::path package_path = path;
  if (!fs::exists(path / Package::kTextFile, error)) {
    // It was a lone .onnx file.
    const fs::directory_iterator first(path, error);
    if (!error && first != fs::directory_iterator()) package_path = first->path();
  }
  absl::StatusOr<Package> package = Package::Open(package_path);
  if (!package.ok()) return PackageDamaged(path, digest, package.status().message());
  const absl::StatusOr<std::string> found = package->Digest();
  if (!found.ok()) return found.status();
  if (*found != digest) return PackageDamaged(path, digest, *found);
  return package;
}

absl::Status PackageArchive::Drop(absl::string_view digest) {
  const absl::MutexLock lock(&mutex_);
  if (!Has(digest)) return absl::OkStatus();
  // Under its own name a copy is whole, also after a crash in the middle of this.
  const fs::path path = PathOf(digest);
  const fs::path dropped = folder_ / absl::StrCat(kUnfinishedStart, path.filename().string());
  std::error_code error;
  fs::rename(path, dropped, error);
  if (!error) fs::remove_all(dropped, error);
  if (error) return NotKept(path, error.message());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PackageArchive::List() const {
  std::vector<std::string> digests;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!absl::StartsWith(name, kUnfinishedStart)) digests.push_back(absl::StrCat(kDigestStart, name));
  }
  if (error) return NotKept(folder_, error.message());
  return digests;
}

}  // namespace stepwell
