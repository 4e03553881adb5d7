#ifndef STEPWELL_STORAGE_TESTING_MEMORY_ENV_H_
#define STEPWELL_STORAGE_TESTING_MEMORY_ENV_H_

#include <memory>
#include <utility>

#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "rocksdb/system_clock.h"

namespace stepwell::testing {

// RocksDB's file system in memory, whose logs can be synced while others write, as those on a disk can.
// Thread-safe.
class MemoryFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  MemoryFileSystem()
      : MemoryFileSystem(std::unique_ptr<rocksdb::Env>(rocksdb::NewMemEnv(rocksdb::Env::Default()))) {}

  const char* Name() const override { return "MemoryFileSystem"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* context) override {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, &file, context);
    if (status.ok()) *result = std::make_unique<File>(std::move(file));
    return status;
  }

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
    bool IsSyncThreadSafe() const override { return true; }
  };

  explicit MemoryFileSystem(std::unique_ptr<rocksdb::Env> memory)
      : FileSystemWrapper(memory->GetFileSystem()), memory_(std::move(memory)) {}

  const std::unique_ptr<rocksdb::Env> memory_;
};

// Files in memory, and a clock on which nobody sleeps: RocksDB waits for a second after a compaction that
// failed. Thread-safe.
class MemoryEnv final : public rocksdb::EnvWrapper {
 public:
  MemoryEnv() : EnvWrapper(rocksdb::NewCompositeEnv(std::make_shared<MemoryFileSystem>())) {
    file_system_ = target()->GetFileSystem();
    system_clock_ = std::make_shared<SleeplessClock>();
  }

 private:
  class SleeplessClock final : public rocksdb::SystemClockWrapper {
   public:
    SleeplessClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
    const char* Name() const override { return "SleeplessClock"; }
    void SleepForMicroseconds(int /*micros*/) override {}
  };
};

}  // namespace stepwell::testing

#endif  // STEPWELL_STORAGE_TESTING_MEMORY_ENV_H_
