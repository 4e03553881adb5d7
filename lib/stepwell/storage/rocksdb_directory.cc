#include "stepwell/storage/rocksdb_directory.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "rocksdb/env.h"
#include "stepwell/storage/errors.h"

namespace stepwell {
namespace {

constexpr char kMarkFile[] = "STEPWELL";
constexpr char kNewMarkFile[] = "STEPWELL.new";
constexpr char kLockFile[] = "STEPWELL.lock";
constexpr char kProbeFile[] = "STEPWELL.probe";
constexpr char kMarkStart[] = "stepwell store, format ";

bool IsOurs(absl::string_view file) {
  return file == kMarkFile || file == kNewMarkFile || file == kLockFile || file == kProbeFile ||
         file == "." || file == "..";
}

bool HoldsData(absl::string_view file) {
  return absl::EndsWith(file, ".sst") || absl::EndsWith(file, ".blob") || absl::EndsWith(file, ".log");
}

// Makes the directory at `path` where there is none: its owner's alone, as states may be nobody else's
// business.
absl::Status Make(const std::string& path) {
  namespace fs = std::filesystem;
  fs::path made = fs::path(path).lexically_normal();
  if (!made.has_filename()) made = made.parent_path();  // "a/" is "a".
  std::error_code error;
  if (made.has_parent_path()) fs::create_directories(made.parent_path(), error);
  if (error) return DirectoryNotWritable(path, error.message());
  if (mkdir(made.c_str(), S_IRWXU) == 0 || errno == EEXIST) return absl::OkStatus();
  return DirectoryNotWritable(path, std::generic_category().message(errno));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksDbDirectory>> RocksDbDirectory::Open(std::string path,
                                                                         rocksdb::Env* env) {
  const absl::Status made = Make(path);
  if (!made.ok()) return made;
  auto directory = absl::WrapUnique(new RocksDbDirectory(std::move(path), env));
  absl::Status opened = directory->CheckFiles();
  if (opened.ok()) opened = directory->CheckWritable();
  if (opened.ok()) opened = directory->Lock();
  // Once more: another process may have made its store since.
  if (opened.ok()) opened = directory->CheckFiles();
  if (opened.ok() && directory->is_new_) {
    const rocksdb::Status marked = WriteMark(directory->path_, env);
    if (!marked.ok()) opened = DirectoryNotWritable(directory->path_, marked.ToString());
  }
  if (!opened.ok()) return opened;
  return directory;
}

absl::StatusOr<std::unique_ptr<RocksDbDirectory>> RocksDbDirectory::OpenForReading(std::string path,
                                                                                   rocksdb::Env* env) {
  if (!env->FileExists(absl::StrCat(path, "/", kMarkFile)).ok()) return DirectoryEmpty(path);
  auto directory = absl::WrapUnique(new RocksDbDirectory(std::move(path), env));
  absl::Status opened = directory->CheckFiles();
  if (opened.ok() && directory->is_new_) opened = DirectoryEmpty(directory->path_);
  if (opened.ok()) opened = directory->Lock();
  if (!opened.ok()) return opened;
  return directory;
}

RocksDbDirectory::~RocksDbDirectory() {
  if (lock_ != nullptr) env_->UnlockFile(lock_).PermitUncheckedError();
}

absl::Status RocksDbDirectory::CheckFiles() {
  std::vector<std::string> files;
  const rocksdb::Status listed = env_->GetChildren(path_, &files);
  if (!listed.ok()) return DirectoryNotWritable(path_, listed.ToString());
  if (std::ranges::find(files, kMarkFile) == files.end()) {
    const auto foreign = std::ranges::find_if_not(files, IsOurs);
    if (foreign != files.end()) return DirectoryForeign(path_, absl::StrCat("\"", *foreign, "\""));
    is_new_ = true;
    return absl::OkStatus();
  }
  std::string mark;
  const rocksdb::Status read = rocksdb::ReadFileToString(env_, absl::StrCat(path_, "/", kMarkFile), &mark);
  if (!read.ok()) return StoreReadFailed(absl::StrCat(path_, "/", kMarkFile), read.ToString());
  absl::string_view format_text = absl::StripSuffix(mark, "\n");
  int64_t format = 0;
  if (!absl::ConsumePrefix(&format_text, kMarkStart) || !absl::SimpleAtoi(format_text, &format) ||
      format < 1) {
    return DirectoryForeign(path_, absl::StrCat("a file ", kMarkFile, " that says something else"));
  }
  if (format > kFormat) return DirectoryOfNewerFormat(path_, format, kFormat);
  is_new_ = std::ranges::find(files, "CURRENT") == files.end();
  // A store that has come so far has a CURRENT, without which RocksDB would begin anew and remove the rest.
  if (is_new_ && std::ranges::any_of(files, HoldsData)) {
    return DirectoryDamaged(path_, "its file CURRENT is missing");
  }
  return absl::OkStatus();
}

absl::Status RocksDbDirectory::CheckWritable() {
  // To tell what cannot be written from what is locked; not with the lock's file, since a process that closes
  // a file gives up its locks on it.
  const std::string probe = absl::StrCat(path_, "/", kProbeFile);
  rocksdb::Status probed = rocksdb::WriteStringToFile(env_, "probe", probe);
  if (probed.ok()) probed = env_->DeleteFile(probe);
  return probed.ok() ? absl::OkStatus() : DirectoryNotWritable(path_, probed.ToString());
}

absl::Status RocksDbDirectory::Lock() {
  if (!env_->LockFile(absl::StrCat(path_, "/", kLockFile), &lock_).ok()) {
    lock_ = nullptr;
    return DirectoryInUse(path_);
  }
  return absl::OkStatus();
}

rocksdb::Status RocksDbDirectory::WriteMark(const std::string& path, rocksdb::Env* env) {
  const std::string file = absl::StrCat(path, "/", kNewMarkFile);
  const rocksdb::Status written =
      rocksdb::WriteStringToFile(env, absl::StrCat(kMarkStart, kFormat, "\n"), file, /*should_sync=*/true);
  return written.ok() ? env->RenameFile(file, absl::StrCat(path, "/", kMarkFile)) : written;
}

}  // namespace stepwell
