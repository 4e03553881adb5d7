#include "stepwell/storage/rocksdb_tables.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/options.h"
#include "rocksdb/sst_file_reader.h"

namespace stepwell {

rocksdb::Status CheckTable(const std::string& path, rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  rocksdb::SstFileReader table(options);
  rocksdb::Status status = table.Open(path);
  if (status.ok()) status = table.VerifyChecksum();
  if (!status.IsCorruption() || absl::StrContains(status.ToString(), path)) return status;
  return rocksdb::Status::Corruption(absl::StrCat("in ", path), status.ToString());
}

rocksdb::Status FindDamagedTable(const std::string& directory, rocksdb::Env* env) {
  std::vector<std::string> files;
  const rocksdb::Status listed = env->GetChildren(directory, &files);
  std::ranges::sort(files);
  for (const std::string& file : files) {
    if (!absl::EndsWith(file, ".sst")) continue;
    const rocksdb::Status status = CheckTable(absl::StrCat(directory, "/", file), env);
    if (status.IsCorruption()) return status;
  }
  return listed;
}

}  // namespace stepwell
