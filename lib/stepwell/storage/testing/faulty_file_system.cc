#include "stepwell/storage/testing/faulty_file_system.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace stepwell::testing {
namespace {

bool IsLog(const std::string& name) { return absl::EndsWith(name, ".log"); }

bool IsTable(const std::string& name) {
  return absl::EndsWith(name, ".sst") || absl::EndsWith(name, ".blob");
}

}  // namespace

class FaultyFileSystem::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile> file, std::string name, FaultyFileSystem* system)
      : FSWritableFileOwnerWrapper(std::move(file)), name_(std::move(name)), system_(system) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override {
    rocksdb::IOStatus status = system_->BeforeWrite(name_, data.size());
    return status.ok() ? FSWritableFileOwnerWrapper::Append(data, options, context) : status;
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& verification,
                           rocksdb::IODebugContext* context) override {
    rocksdb::IOStatus status = system_->BeforeWrite(name_, data.size());
    return status.ok() ? FSWritableFileOwnerWrapper::Append(data, options, verification, context) : status;
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
    const uint64_t size = system_->WrittenSize(name_);
    rocksdb::IOStatus status = system_->BeforeSync();
    if (status.ok()) status = FSWritableFileOwnerWrapper::Sync(options, context);
    if (status.ok()) system_->AfterSync(name_, size);
    return status;
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
    return Sync(options, context);
  }

 private:
  const std::string name_;
  FaultyFileSystem* const system_;
};

class FaultyFileSystem::ReadFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  ReadFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, const FaultyFileSystem* system)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), system_(system) {}

  rocksdb::IOStatus Read(uint64_t offset, size_t size, const rocksdb::IOOptions& options,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* context) const override {
    rocksdb::IOStatus status = system_->BeforeRead();
    if (!status.ok()) return status;
    return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, context);
  }
  rocksdb::IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count,
                              const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
    rocksdb::IOStatus status = system_->BeforeRead();
    if (!status.ok()) return status;
    return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, context);
  }

 private:
  const FaultyFileSystem* const system_;
};

void FaultyFileSystem::Set(bool FaultyFileSystem::*flag) {
  absl::MutexLock lock(&mutex_);
  this->*flag = true;
}

void FaultyFileSystem::Heal() {
  absl::MutexLock lock(&mutex_);
  fail_writes_ = fail_syncs_ = fail_new_files_ = is_full_ = is_full_for_tables_ = fail_reads_ = false;
}

void FaultyFileSystem::WaitUntilHeld() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&is_held_));
}

void FaultyFileSystem::ReleaseLogs() {
  absl::MutexLock lock(&mutex_);
  hold_logs_ = is_held_ = false;
}

int FaultyFileSystem::log_syncs() const {
  absl::MutexLock lock(&mutex_);
  return log_syncs_;
}

void FaultyFileSystem::WaitForLogSyncs(int count) {
  const auto come = [this, count] {
    mutex_.AssertHeld();
    return log_syncs_ >= count;
  };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&come));
}

void FaultyFileSystem::CopyWritten(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&mutex_);
  std::filesystem::create_directories(to);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    const std::string copy = to + "/" + entry.path().filename().string();
    std::filesystem::copy_file(entry.path(), copy);
    const auto size = sizes_.find(entry.path().string());
    if (size != sizes_.end()) sizes_[copy] = size->second;
  }
}

void FaultyFileSystem::CopySynced(const std::string& from, const std::string& to,
                                  uint64_t unsynced_bytes) const {
  absl::MutexLock lock(&mutex_);
  std::filesystem::create_directories(to);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    const std::string copy = to + "/" + entry.path().filename().string();
    std::filesystem::copy_file(entry.path(), copy);
    const auto size = sizes_.find(entry.path().string());
    if (size == sizes_.end()) continue;
    std::filesystem::resize_file(
        copy, std::min(std::filesystem::file_size(copy), size->second.synced + unsynced_bytes));
  }
}

rocksdb::IOStatus FaultyFileSystem::NewWritableFile(const std::string& name,
                                                    const rocksdb::FileOptions& options,
                                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                                    rocksdb::IODebugContext* context) {
  {
    absl::MutexLock lock(&mutex_);
    if (fail_new_files_) return rocksdb::IOStatus::IOError("no new files");
    sizes_[name] = {};
  }
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, &file, context);
  if (status.ok()) *result = std::make_unique<File>(std::move(file), name, this);
  return status;
}

rocksdb::IOStatus FaultyFileSystem::NewRandomAccessFile(const std::string& name,
                                                        const rocksdb::FileOptions& options,
                                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                                        rocksdb::IODebugContext* context) {
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  rocksdb::IOStatus status = FileSystemWrapper::NewRandomAccessFile(name, options, &file, context);
  if (status.ok()) *result = std::make_unique<ReadFile>(std::move(file), this);
  return status;
}

rocksdb::IOStatus FaultyFileSystem::BeforeRead() const {
  absl::MutexLock lock(&mutex_);
  return fail_reads_ ? rocksdb::IOStatus::IOError("the disk gives nothing") : rocksdb::IOStatus::OK();
}

rocksdb::IOStatus FaultyFileSystem::LinkFile(const std::string& from, const std::string& to,
                                             const rocksdb::IOOptions& options,
                                             rocksdb::IODebugContext* context) {
  {
    absl::MutexLock lock(&mutex_);
    if (refuse_links_) return rocksdb::IOStatus::NotSupported("another file system");
  }
  return FileSystemWrapper::LinkFile(from, to, options, context);
}

rocksdb::IOStatus FaultyFileSystem::RenameFile(const std::string& from, const std::string& to,
                                               const rocksdb::IOOptions& options,
                                               rocksdb::IODebugContext* context) {
  rocksdb::IOStatus status = FileSystemWrapper::RenameFile(from, to, options, context);
  absl::MutexLock lock(&mutex_);
  if (const auto size = sizes_.extract(from); status.ok() && !size.empty()) sizes_[to] = size.mapped();
  return status;
}

rocksdb::IOStatus FaultyFileSystem::BeforeWrite(const std::string& name, size_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (hold_logs_ && IsLog(name)) {
    is_held_ = true;
    const auto released = [this] {
      mutex_.AssertHeld();
      return !hold_logs_;
    };
    mutex_.Await(absl::Condition(&released));
  }
  if (fail_writes_) return rocksdb::IOStatus::IOError("the disk takes no writes");
  if (is_full_ || (is_full_for_tables_ && IsTable(name))) {
    return rocksdb::IOStatus::NoSpace("No space left on device");
  }
  sizes_[name].written += bytes;
  return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus FaultyFileSystem::BeforeSync() {
  absl::MutexLock lock(&mutex_);
  return fail_syncs_ ? rocksdb::IOStatus::IOError("the disk does not sync") : rocksdb::IOStatus::OK();
}

void FaultyFileSystem::AfterSync(const std::string& name, uint64_t size) {
  absl::MutexLock lock(&mutex_);
  sizes_[name].synced = size;
  if (IsLog(name)) ++log_syncs_;
}

uint64_t FaultyFileSystem::WrittenSize(const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  const auto size = sizes_.find(name);
  return size == sizes_.end() ? 0 : size->second.written;
}

}  // namespace stepwell::testing
