#ifndef STEPWELL_STORAGE_ROCKSDB_TABLES_H_
#define STEPWELL_STORAGE_ROCKSDB_TABLES_H_

#include <string>

#include "rocksdb/env.h"

namespace stepwell {

// Checks every block of the table in the file `path`. Corruption names it.
rocksdb::Status CheckTable(const std::string& path, rocksdb::Env* env);

// What CheckTable says of the first table in `directory` that is damaged. OK: none is.
rocksdb::Status FindDamagedTable(const std::string& directory, rocksdb::Env* env);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_TABLES_H_
