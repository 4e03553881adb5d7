#include "stepwell/storage/rocksdb_checkpoint.h"

#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "rocksdb/env.h"
#include "rocksdb/utilities/checkpoint.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_directory.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

// Logs are copied rather than written to tables, however long: they are short, and steps need not wait.
constexpr uint64_t kNeverFlush = std::numeric_limits<uint64_t>::max();

rocksdb::Status SyncDirectory(rocksdb::Env* env, const std::string& path) {
  std::unique_ptr<rocksdb::Directory> directory;
  const rocksdb::Status opened = env->NewDirectory(path, &directory);
  return opened.ok() ? directory->Fsync() : opened;
}

rocksdb::Status CopyTo(const RocksDbDatabase& database, const fs::path& path, const fs::path& partial) {
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(&database.db(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(partial.string(), kNeverFlush);
  if (status.ok()) status = RocksDbDirectory::WriteMark(partial.string(), database.env());
  if (status.ok()) status = SyncDirectory(database.env(), partial.string());
  if (status.ok()) status = database.env()->RenameFile(partial.string(), path.string());
  if (status.ok()) status = SyncDirectory(database.env(), path.parent_path().string());
  return status;
}

int64_t BytesIn(const fs::path& directory) {
  uintmax_t bytes = 0;
  std::error_code ignored;  // What is counted is for people.
  for (const auto& file : fs::directory_iterator(directory, ignored)) bytes += file.file_size(ignored);
  return static_cast<int64_t>(bytes);
}

}  // namespace

absl::StatusOr<int64_t> MakeCheckpoint(const RocksDbDatabase& database, const std::string& path) {
  const fs::path target = fs::absolute(path).lexically_normal();
  const fs::path partial = target.parent_path() / absl::StrCat(".", target.filename().string(), ".partial");
  std::error_code error;
  if (fs::exists(fs::symlink_status(target, error))) return BackupExists(path);
  fs::create_directories(target.parent_path(), error);
  if (!error) fs::remove_all(partial, error);
  if (error) return BackupFailed(path, error.message());
  const rocksdb::Status copied = CopyTo(database, target, partial);
  if (copied.ok()) return BytesIn(target);
  fs::remove_all(partial, error);
  return BackupFailed(path, copied.ToString());
}

}  // namespace stepwell
