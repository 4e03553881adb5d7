#ifndef STEPWELL_MODEL_TESTING_TEMP_FOLDER_H_
#define STEPWELL_MODEL_TESTING_TEMP_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace stepwell::testing {

// An empty folder for one test, which goes with it. Thread-compatible.
class TempFolder {
 public:
  TempFolder() {
    std::string name = ::testing::TempDir() + "/stepwell_XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = std::filesystem::canonical(name);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // Writes a file, and the folders above it, and returns where it is.
  std::filesystem::path Write(const std::string& file, absl::string_view content) const {
    const std::filesystem::path path = path_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
    return path;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_MODEL_TESTING_TEMP_FOLDER_H_
