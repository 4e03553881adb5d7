#ifndef STEPWELL_BENCH_SCRATCH_FOLDER_H_
#define STEPWELL_BENCH_SCRATCH_FOLDER_H_

#include <filesystem>
#include <string>

namespace stepwell::bench {

// An empty folder beside the build, so on a disk rather than in memory, for as long as this lives.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& name) : path_(std::filesystem::path(STEPWELL_BENCH_DATA) / name) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_SCRATCH_FOLDER_H_
