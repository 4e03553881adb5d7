#include "examples/demo/load_burst.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace stepwell::demo {
namespace {

constexpr int kThreadsPerCpu = 4;
constexpr unsigned kMaxCpus = 16;
constexpr int64_t kBlockBytes = int64_t{1} << 20;
constexpr int64_t kBlocksPerSync = 4;
constexpr int64_t kMemoryPieceBytes = int64_t{8} << 20;
constexpr absl::Duration kBetweenPieces = absl::Milliseconds(20);

int ComputeThreads(int wanted) {
  return wanted > 0 ? wanted
                    : kThreadsPerCpu *
                          static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, kMaxCpus));
}

}  // namespace

LoadBurst::LoadBurst(const Options& options)
    : deadline_(absl::Now() + options.limit), compute_threads_(ComputeThreads(options.compute_threads)) {
  const auto start = [this](auto work) {
    ++running_;
    threads_.emplace_back([this, work] {
      work();
      --running_;
    });
  };
  for (int i = 0; i < compute_threads_; ++i) start([this] { Compute(); });
  start([this, folder = options.folder, bytes = options.file_bytes] { Write(folder, bytes); });
  start([this, bytes = options.memory_bytes] { Allocate(bytes); });
}

LoadBurst::~LoadBurst() { Stop(); }

void LoadBurst::Stop() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

LoadBurst::Report LoadBurst::Progress() const {
  const absl::MutexLock lock(&mutex_);
  return {.compute_threads = compute_threads_,
          .memory_bytes = memory_bytes_,
          .written_bytes = written_bytes_,
          .disk = disk_};
}

void LoadBurst::Compute() const {
  constexpr int kRounds = 100000;  // Well under a millisecond.
  volatile uint64_t sink = 1;      // Without it there would be nothing to compute.
  while (!Ended()) {
    uint64_t x = sink;
    for (int i = 0; i < kRounds; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
    sink = x;
    std::this_thread::yield();  // So that tasks change often as well.
  }
}

void LoadBurst::Write(const std::filesystem::path& folder, int64_t file_bytes) {
  std::error_code ignored;  // A folder that is not there shows when the file is made.
  std::string path =
      ((folder.empty() ? std::filesystem::temp_directory_path(ignored) : folder) / "stepwell-demo-XXXXXX")
          .string();
  const int file = mkostemp(path.data(), O_CLOEXEC);
  bool good = file >= 0 && unlink(path.c_str()) == 0;
  const std::string block(static_cast<size_t>(kBlockBytes), 'x');
  const int64_t blocks = std::max<int64_t>(file_bytes / kBlockBytes, 1);
  for (int64_t i = 0; good && !Ended(); ++i) {
    const ssize_t written = pwrite(file, block.data(), block.size(), i % blocks * kBlockBytes);
    if (written > 0) written_bytes_ += written;
    good = written >= 0 && (i % kBlocksPerSync != 0 || fdatasync(file) == 0);
  }
  const int error = good ? 0 : errno;
  if (file >= 0) close(file);
  if (good) return;
  const absl::MutexLock lock(&mutex_);
  disk_ = absl::ErrnoToStatus(error, absl::StrCat("cannot write ", path));
}

void LoadBurst::Allocate(int64_t bytes) {
  std::vector<std::string> pieces;
  while (memory_bytes_ < bytes && !Ended() && !stop_.WaitForNotificationWithTimeout(kBetweenPieces)) {
    pieces.emplace_back(static_cast<size_t>(kMemoryPieceBytes), 'x');  // Written, so that it is really taken.
    memory_bytes_ += kMemoryPieceBytes;
  }
  stop_.WaitForNotificationWithTimeout(deadline_ - absl::Now());
}

}  // namespace stepwell::demo
