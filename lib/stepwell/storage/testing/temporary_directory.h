#ifndef STEPWELL_STORAGE_TESTING_TEMPORARY_DIRECTORY_H_
#define STEPWELL_STORAGE_TESTING_TEMPORARY_DIRECTORY_H_

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace stepwell::testing {

// An empty directory that goes with this object. Thread-compatible.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = absl::StrCat(::testing::TempDir(), "/stepwell_XXXXXX");
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no directory in " << ::testing::TempDir();
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

  // A path in it that nothing has yet.
  std::string New() { return absl::StrCat(path_, "/", ++count_); }

 private:
  std::string path_;
  int count_ = 0;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_STORAGE_TESTING_TEMPORARY_DIRECTORY_H_
