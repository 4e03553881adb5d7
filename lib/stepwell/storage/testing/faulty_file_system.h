#ifndef STEPWELL_STORAGE_TESTING_FAULTY_FILE_SYSTEM_H_
#define STEPWELL_STORAGE_TESTING_FAULTY_FILE_SYSTEM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace stepwell::testing {

// The machine's file system, which can be made to fail, to stand still, and to forget what was not synced.
// Thread-safe.
class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultyFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

  const char* Name() const override { return "FaultyFileSystem"; }

  // From now on every write, or every sync, of a file fails, or of a new file its making.
  void FailWrites() { Set(&FaultyFileSystem::fail_writes_); }
  void FailSyncs() { Set(&FaultyFileSystem::fail_syncs_); }
  void FailNewFiles() { Set(&FaultyFileSystem::fail_new_files_); }

  // From now on there is no room for more: in any file, or in tables and blobs, which are written in the
  // background.
  void FillUp() { Set(&FaultyFileSystem::is_full_); }
  void FillUpTables() { Set(&FaultyFileSystem::is_full_for_tables_); }

  // From now on nothing can be read but what is in memory.
  void FailReads() { Set(&FaultyFileSystem::fail_reads_); }

  // Nothing fails any more.
  void Heal() ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on files cannot have a second name, as on another file system than theirs.
  void RefuseLinks() { Set(&FaultyFileSystem::refuse_links_); }

  // From now on a write to a log waits until Release. Returns at once; WaitUntilHeld returns when one waits.
  void HoldLogs() { Set(&FaultyFileSystem::hold_logs_); }
  void WaitUntilHeld() ABSL_LOCKS_EXCLUDED(mutex_);
  void ReleaseLogs() ABSL_LOCKS_EXCLUDED(mutex_);

  // How often logs were synced, and returns when it is `count` at least.
  int log_syncs() const ABSL_LOCKS_EXCLUDED(mutex_);
  void WaitForLogSyncs(int count) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes `to` of the directory `from` as a process leaves it that ends now: what it wrote, synced or not.
  void CopyWritten(const std::string& from, const std::string& to) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes `to` of the directory `from` as a machine leaves it that loses its power now: of files that were
  // written since this was made, what was synced, and up to `unsynced_bytes` of what was written behind that.
  void CopySynced(const std::string& from, const std::string& to, uint64_t unsynced_bytes = 0) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* context) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* context) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override;

 private:
  class File;
  class ReadFile;
  struct Size {
    uint64_t written = 0;
    uint64_t synced = 0;
  };

  void Set(bool FaultyFileSystem::*flag) ABSL_LOCKS_EXCLUDED(mutex_);
  rocksdb::IOStatus BeforeWrite(const std::string& name, size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  rocksdb::IOStatus BeforeRead() const ABSL_LOCKS_EXCLUDED(mutex_);
  rocksdb::IOStatus BeforeSync() ABSL_LOCKS_EXCLUDED(mutex_);
  void AfterSync(const std::string& name, uint64_t size) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t WrittenSize(const std::string& name) const ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  bool fail_writes_ ABSL_GUARDED_BY(mutex_) = false;
  bool fail_syncs_ ABSL_GUARDED_BY(mutex_) = false;
  bool fail_new_files_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_full_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_full_for_tables_ ABSL_GUARDED_BY(mutex_) = false;
  bool fail_reads_ ABSL_GUARDED_BY(mutex_) = false;
  bool refuse_links_ ABSL_GUARDED_BY(mutex_) = false;
  bool hold_logs_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_held_ ABSL_GUARDED_BY(mutex_) = false;
  int log_syncs_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Size> sizes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell::testing

#endif  // STEPWELL_STORAGE_TESTING_FAULTY_FILE_SYSTEM_H_
