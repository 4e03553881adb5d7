#include "stepwell/model/package_staging.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/memory/memory.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "stepwell/base/error_info.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = ".upload-";  // Of hidden folders, which a repository passes over.

absl::Status WriteError(const fs::path& path, int error) {
  const std::string message = absl::StrCat("\"", absl::CHexEscape(path.string()),
                                           "\" cannot be written: ", std::generic_category().message(error));
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
      return WithErrorInfo(absl::FailedPreconditionError(
                               absl::StrCat(message, "; expected a repository that the server may write to")),
                           "REPOSITORY_READ_ONLY");
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InternalError(message);
  }
}

// Has the names in `folder` survive a crash.
absl::Status SyncFolder(const fs::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return WriteError(folder, errno);
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  return fsync(descriptor) == 0 ? absl::OkStatus() : WriteError(folder, errno);
}

// `folder`, opened and held by this process; -1 with errno when it is another's or no folder.
int LockFolder(const fs::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  const int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

int64_t ByteCount(const std::vector<PackageFile>& files) {
  int64_t bytes = 0;
  for (const PackageFile& file : files) bytes += file.byte_count;
  return bytes;
}

}  // namespace

PackageStaging::PackageStaging(fs::path root, std::string name, std::vector<PackageFile> files)
    : root_(std::move(root)),
      name_(std::move(name)),
      files_(std::move(files)),
      is_lone_file_(files_.size() == 1 && files_[0].path == absl::StrCat(name_, ".onnx")),
      expected_(ByteCount(files_)) {}

absl::StatusOr<std::unique_ptr<PackageStaging>> PackageStaging::Make(const fs::path& root, std::string name,
                                                                     std::vector<PackageFile> files) {
  auto staging = absl::WrapUnique(new PackageStaging(root, std::move(name), std::move(files)));
  if (absl::Status made = staging->MakeFolder(); !made.ok()) return made;
  return staging;
}

absl::Status PackageStaging::MakeFolder() {
  std::string folder = (root_ / absl::StrCat(kPrefix, "XXXXXX")).string();
  if (mkdtemp(folder.data()) == nullptr) return WriteError(root_, errno);
  folder_ = folder;
  lock_ = LockFolder(folder_);
  if (lock_ < 0) return WriteError(folder_, errno);
  path_ = folder_ / (is_lone_file_ ? files_[0].path : name_);
  if (!is_lone_file_ && mkdir(path_.c_str(), 0777) != 0) return WriteError(path_, errno);
  return absl::OkStatus();
}

PackageStaging::~PackageStaging() {
  if (descriptor_ >= 0) close(descriptor_);
  std::error_code ignored;  // The next start finds what is left.
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
  if (lock_ >= 0) close(lock_);
}

void PackageStaging::RemoveLeftovers(const fs::path& root) {
  std::error_code ignored;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(root, ignored); entry != fs::directory_iterator();
       entry.increment(ignored)) {
    if (absl::StartsWith(entry->path().filename().string(), kPrefix)) found.push_back(entry->path());
  }
  for (const fs::path& folder : found) {
    const int lock = LockFolder(folder);
    if (lock < 0) continue;
    fs::remove_all(folder, ignored);
    close(lock);
  }
}

fs::path PackageStaging::PathOf(const PackageFile& file) const {
  return is_lone_file_ ? path_ : path_ / file.path;
}

absl::Status PackageStaging::OpenFile() {
  const fs::path path = PathOf(files_[file_]);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return WriteError(path.parent_path(), error.value());
  descriptor_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  return descriptor_ >= 0 ? absl::OkStatus() : WriteError(path, errno);
}

absl::Status PackageStaging::CloseFile() {
  const int synced = fsync(descriptor_) == 0 ? 0 : errno;
  const int closed = close(std::exchange(descriptor_, -1)) == 0 ? 0 : errno;
  const fs::path path = PathOf(files_[file_]);
  ++file_;
  offset_ = 0;
  if (synced == 0 && closed == 0) return absl::OkStatus();
  return WriteError(path, synced != 0 ? synced : closed);
}

absl::Status PackageStaging::Write(absl::string_view bytes) {
  if (static_cast<int64_t>(bytes.size()) > expected_ - received_) {
    return absl::InvalidArgumentError(absl::StrCat("the stream has more bytes than the ", expected_,
                                                   " of the files that its header lists"));
  }
  received_ += static_cast<int64_t>(bytes.size());
  while (!bytes.empty()) {
    const PackageFile& file = files_[file_];
    if (descriptor_ < 0) {
      if (absl::Status opened = OpenFile(); !opened.ok()) return opened;
    }
    const absl::string_view part = bytes.substr(0, static_cast<size_t>(file.byte_count - offset_));
    const ssize_t written = write(descriptor_, part.data(), part.size());
    if (written < 0 && errno != EINTR) return WriteError(PathOf(file), errno);
    if (written > 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
      offset_ += written;
    }
    if (offset_ < file.byte_count) continue;
    if (absl::Status closed = CloseFile(); !closed.ok()) return closed;
  }
  return absl::OkStatus();
}

absl::Status PackageStaging::Finish() {
  if (received_ < expected_) {
    return absl::InvalidArgumentError(absl::StrCat("the stream ended after ", received_, " bytes; expected ",
                                                   expected_, ", those of the files that its header lists"));
  }
  while (file_ < files_.size()) {  // What is left is empty.
    absl::Status made = OpenFile();
    if (made.ok()) made = CloseFile();
    if (!made.ok()) return made;
  }
  if (is_lone_file_) return absl::OkStatus();
  std::error_code error;
  for (fs::recursive_directory_iterator entry(path_, error); entry != fs::recursive_directory_iterator();
       entry.increment(error)) {
    if (!entry->is_directory(error)) continue;
    if (absl::Status synced = SyncFolder(entry->path()); !synced.ok()) return synced;
  }
  if (error) return WriteError(path_, error.value());
  return SyncFolder(path_);
}

absl::Status PackageStaging::Place() {
  const fs::path place = root_ / path_.filename();
  std::error_code error;
  if (fs::is_directory(place, error)) {
    // A rename replaces a file, but no folder that has files. What was there is here now, and goes with this.
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) != 0) {
      const int why = errno;
      if (why != EINVAL && why != ENOSYS && why != EXDEV) return WriteError(place, why);
      return absl::FailedPreconditionError(absl::StrCat(
          "the file system of \"", absl::CHexEscape(root_.string()),
          "\" cannot put a folder in another's place in one step; expected one that can, or a new name"));
    }
  } else if (std::rename(path_.c_str(), place.c_str()) != 0) {
    return WriteError(place, errno);
  }
  return SyncFolder(root_);
}

}  // namespace stepwell
