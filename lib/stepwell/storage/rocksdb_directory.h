#ifndef STEPWELL_STORAGE_ROCKSDB_DIRECTORY_H_
#define STEPWELL_STORAGE_ROCKSDB_DIRECTORY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/status.h"

namespace rocksdb {
class Env;
class FileLock;
}  // namespace rocksdb

namespace stepwell {

// The directory of a RocksDbStore while it is open: ours, of a format that is known, and locked. Its file
// STEPWELL names program and format in one line of text, so that they are known before RocksDB, of whatever
// version, touches anything. Thread-compatible.
class RocksDbDirectory {
 public:
  // The format that is written; older ones, when there are any, are read.
  static constexpr int kFormat = 1;

  // Makes the directory at `path` where there is none. FAILED_PRECONDITION: it is in use, of a newer format,
  // another program's, or cannot be written. DATA_LOSS: files of the store are gone. `env` must outlive this.
  static absl::StatusOr<std::unique_ptr<RocksDbDirectory>> Open(std::string path, rocksdb::Env* env);

  // As Open, where there is a store already, and writes nothing but its lock. FAILED_PRECONDITION also: there
  // is none.
  static absl::StatusOr<std::unique_ptr<RocksDbDirectory>> OpenForReading(std::string path,
                                                                          rocksdb::Env* env);

  ~RocksDbDirectory();

  RocksDbDirectory(const RocksDbDirectory&) = delete;
  RocksDbDirectory& operator=(const RocksDbDirectory&) = delete;

  // Writes the file that names program and format into the directory at `path`, synced.
  static rocksdb::Status WriteMark(const std::string& path, rocksdb::Env* env);

  // Whether no store was made in it so far.
  bool is_new() const { return is_new_; }

 private:
  RocksDbDirectory(std::string path, rocksdb::Env* env) : path_(std::move(path)), env_(env) {}

  absl::Status CheckWritable();
  absl::Status Lock();
  absl::Status CheckFiles();

  const std::string path_;
  rocksdb::Env* const env_;
  rocksdb::FileLock* lock_ = nullptr;
  bool is_new_ = false;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_DIRECTORY_H_
