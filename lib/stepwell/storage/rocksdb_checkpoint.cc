#include "stepwell/storage/rocksdb_checkpoint.h"

#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "rocksdb/env.h"
#include "rocksdb/utilities/checkpoint.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_directory.h"
#include "stepwell/storage/rocksdb_log_files.h"
#include "stepwell/storage/rocksdb_synced_mark.h"

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

rocksdb::Status SyncFile(rocksdb::Env* env, const std::string& path) {
  std::unique_ptr<rocksdb::RandomRWFile> file;
  const rocksdb::Status opened = env->NewRandomRWFile(path, &file, rocksdb::EnvOptions());
  return opened.ok() ? file->Fsync() : opened;
}

rocksdb::Status FromErrorCode(const std::error_code& error) {
  return error ? rocksdb::Status::IOError(error.message()) : rocksdb::Status::OK();
}

// Syncs the files of the database in `partial`, and notes that they are, as a store that is open does.
rocksdb::Status SyncDatabase(rocksdb::Env* env, const fs::path& partial) {
  SyncedEnds ends;
  std::error_code error;
  rocksdb::Status status;
  for (fs::directory_iterator found(partial, error); !error && found != fs::directory_iterator();
       found.increment(error)) {
    const fs::directory_entry& file = *found;
    if (status.ok()) status = SyncFile(env, file.path().string());
    const std::string file_name = file.path().filename();
    absl::string_view name = file_name;
    const uint64_t bytes = file.file_size(error);
    if (error) break;
    uint64_t number = 0;
    if (absl::ConsumePrefix(&name, "MANIFEST-") && absl::SimpleAtoi(name, &number)) {
      ends.manifest_number = number;
      ends.manifest_bytes = bytes;
    } else if (absl::ConsumeSuffix(&name, ".log") && absl::SimpleAtoi(name, &number) &&
               number >= ends.log_number) {
      // The store goes on meanwhile: the copy may end in the middle of a record.
      LogTail tail;
      if (status.ok()) status = MeasureLog(file.path().string(), env, tail);
      ends.log_number = number;
      ends.log_bytes = tail.readable;
    }
  }
  if (status.ok()) status = FromErrorCode(error);
  if (!status.ok()) return status;
  const absl::StatusOr<std::unique_ptr<SyncedMark>> mark = SyncedMark::Open(partial.string(), ends, env);
  return mark.ok() ? rocksdb::Status::OK() : rocksdb::Status::IOError(std::string(mark.status().message()));
}

// What others keep in folders beside the database, such as packages: files that never change once their
// folder has its name. What goes meanwhile is not needed.
rocksdb::Status CopyFolders(rocksdb::Env* env, const fs::path& from, const fs::path& to) {
  std::error_code error;
  for (fs::directory_iterator found(from, error); !error && found != fs::directory_iterator();
       found.increment(error)) {
    const fs::directory_entry& entry = *found;
    const fs::path target = to / entry.path().filename();
    if (entry.path().filename().native().starts_with('.')) continue;  // Unfinished.
    std::error_code gone;
    if (entry.is_directory(gone)) {
      fs::create_directory(target, error);
      const rocksdb::Status copied = error ? FromErrorCode(error) : CopyFolders(env, entry.path(), target);
      if (!copied.ok()) return copied;
      continue;
    }
    if (env->LinkFile(entry.path().string(), target.string()).ok()) continue;
    fs::copy_file(entry.path(), target, error);
    if (!error) {
      const rocksdb::Status synced = SyncFile(env, target.string());
      if (!synced.ok()) return synced;
    } else if (fs::exists(entry.path(), gone)) {
      return FromErrorCode(error);
    }
  }
  std::error_code gone;
  if (error && fs::exists(from, gone)) return FromErrorCode(error);
  return SyncDirectory(env, to.string());
}

rocksdb::Status CopyOtherFolders(const RocksDbDatabase& database, const fs::path& partial) {
  std::error_code error;
  const fs::path from = fs::absolute(database.db().GetName(), error).lexically_normal();
  if (error) return FromErrorCode(error);
  for (fs::directory_iterator found(from, error); !error && found != fs::directory_iterator();
       found.increment(error)) {
    const fs::directory_entry& entry = *found;
    std::error_code gone;
    if (!entry.is_directory(gone)) continue;
    if (!partial.lexically_relative(entry.path()).native().starts_with(".."))
      continue;  // That of the copies.
    const fs::path target = partial / entry.path().filename();
    fs::create_directory(target, error);
    if (error) break;
    const rocksdb::Status copied = CopyFolders(database.env(), entry.path(), target);
    if (!copied.ok()) return copied;
  }
  return FromErrorCode(error);
}

rocksdb::Status CopyTo(const RocksDbDatabase& database, const fs::path& path, const fs::path& partial) {
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(&database.db(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(partial.string(), kNeverFlush);
  if (status.ok()) status = SyncDatabase(database.env(), partial);
  // After the database: the package of a revision is kept before anything that needs it is written.
  if (status.ok()) status = CopyOtherFolders(database, partial);
  if (status.ok()) status = RocksDbDirectory::WriteMark(partial.string(), database.env());
  if (status.ok()) status = SyncDirectory(database.env(), partial.string());
  if (status.ok()) status = database.env()->RenameFile(partial.string(), path.string());
  if (status.ok()) status = SyncDirectory(database.env(), path.parent_path().string());
  return status;
}

int64_t BytesIn(const fs::path& directory) {
  uintmax_t bytes = 0;
  std::error_code ignored;  // What is counted is for people.
  for (const auto& file : fs::recursive_directory_iterator(directory, ignored)) {
    if (file.is_regular_file(ignored)) bytes += file.file_size(ignored);
  }
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
