#ifndef STEPWELL_STORAGE_ROCKSDB_VERIFY_H_
#define STEPWELL_STORAGE_ROCKSDB_VERIFY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "rocksdb/env.h"

namespace stepwell {

// What was found in a store that nobody has open.
struct VerifyReport {
  // One kind of things, in the plural: how many of them were checked, and how many problems they have.
  struct Count {
    std::string what;
    int64_t checked = 0;
    int64_t problems = 0;
  };
  std::vector<Count> counts;
  // Each a sentence that names what is wrong: a file, or a version and a position. Empty: the store is whole.
  std::vector<std::string> problems;
  // What is to be known and harms nobody.
  std::vector<std::string> remarks;
};

// Is told from time to time how many of `what` were checked.
using VerifyProgress = absl::FunctionRef<void(absl::string_view what, int64_t checked)>;

// Reads all that the store in `path` has in use, checks every checksum and every reference from one record to
// another, and changes nothing but its lock. FAILED_PRECONDITION: it is in use, of a newer format, or there
// is no store. Also as RocksDbDatabase::OpenForReading, where nothing of that is among the problems.
absl::StatusOr<VerifyReport> VerifyRocksDbStore(const std::string& path, rocksdb::Env* env,
                                                VerifyProgress progress);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_VERIFY_H_
