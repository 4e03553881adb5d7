#ifndef STEPWELL_STORAGE_TESTING_FULL_STORE_H_
#define STEPWELL_STORAGE_TESTING_FULL_STORE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"
#include "stepwell/storage/store.h"

// A small store on disk that has something of everything, and what it answers.
namespace stepwell::testing {

// Makes the store at `path`, half in tables and half in a log, and closes it. Small arrays, large and growing
// ones, forks, dropped versions and a skeleton, labels, a pin, branches, requests and a model's revision.
void MakeFullStore(const std::string& path, rocksdb::Env* env);

// Every version that MakeFullStore made is below.
inline constexpr Version kFullStoreEnd{13};

// What `store` answers to everything that can be asked of it, by the question.
using Answers = std::map<std::string, absl::StatusOr<std::string>>;
Answers ReadEverything(Store& store, Version end = kFullStoreEnd);

// The files of a directory of `env`, by name, without locks and the log for people, which nobody reads back.
using FileBytes = std::map<std::string, std::string>;
FileBytes ReadFiles(const std::string& path, rocksdb::Env* env);
void WriteFiles(const FileBytes& files, const std::string& path, rocksdb::Env* env);

}  // namespace stepwell::testing

#endif  // STEPWELL_STORAGE_TESTING_FULL_STORE_H_
