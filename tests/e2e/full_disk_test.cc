// A real disk that is full: a small file system in memory, which only the test's processes see.
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/client/client.h"
#include "stepwell/storage/testing/fault_report.h"
#include "tests/e2e/cli_process.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {
namespace {

namespace fs = std::filesystem;

using client::BranchName;
using client::Client;
using client::Durability;
using client::ErrorReason;
using client::IndexPath;
using client::Version;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr char kDiskSize[] = "size=96m";
constexpr int kBallastBytes = 40 << 20;
constexpr int64_t kRows = 32768;  // 256 KiB of state.

class FullDiskTest : public ::testing::Test {
 protected:
  FullDiskTest() : folder_(fs::path(::testing::TempDir()) / absl::StrCat("full_disk_", getpid())) {
    fs::create_directories(models());
    fs::create_directories(disk());
    fs::copy(fs::path(STEPWELL_SOURCE_DIR) / "tests/data/models/mixed", models() / "mixed");
  }
  ~FullDiskTest() override {
    client_.reset();
    server_.reset();
    if (is_mounted_) umount(disk().c_str());
    fs::remove_all(folder_);
  }

  fs::path models() const { return folder_ / "models"; }
  fs::path disk() const { return folder_ / "disk"; }
  std::string data() const { return disk() / "data"; }

  // Why not, when this process may not mount.
  std::string Mount() {
    const uid_t uid = getuid();
    const gid_t gid = getgid();
    if (unshare(CLONE_NEWNS) != 0) {
      // Who is nobody here may be root among namespaces of its own.
      if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return absl::StrCat("no mounts of its own: ", std::strerror(errno));
      }
      std::ofstream("/proc/self/setgroups") << "deny";
      std::ofstream("/proc/self/uid_map") << absl::StrCat("0 ", uid, " 1");
      std::ofstream("/proc/self/gid_map") << absl::StrCat("0 ", gid, " 1");
    }
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", disk().c_str(), "tmpfs", 0, kDiskSize) != 0) {
      return absl::StrCat("cannot mount: ", std::strerror(errno));
    }
    is_mounted_ = true;
    return "";
  }

  void Start() {
    server_.emplace(models(), std::vector<std::string>{"--data-dir", data(), "--max-cached-bytes", "0"});
    client_ = Client::Connect({.address = server_->address(), .retry = {.max_attempts = 1}});
  }
  void Stop() {
    client_.reset();
    EXPECT_EQ(server_->Stop(), 0);
    server_.reset();
  }

  static Array Log(int number) {
    return Array::From<float>({kRows, 2}, std::vector<float>(2 * kRows, static_cast<float>(number))).value();
  }
  absl::StatusOr<Version> Write(int number) {
    const auto written = client_->SetArrays({.state = BranchName{"live"},
                                             .arrays = {{IndexPath{"log"}, Log(number)}},
                                             .durability = Durability::kSync});
    if (!written.ok()) return written.status();
    return Version{written->version()};
  }
  absl::Status Read(Version version, int number) {
    const auto read = client_->GetArrays({.state = version, .selectors = {{IndexPath{"log"}, {}}}});
    if (!read.ok()) return read.status();
    return read->arrays.at(0).second == Log(number) ? absl::OkStatus() : absl::UnknownError("a wrong answer");
  }

  const fs::path folder_;
  bool is_mounted_ = false;
  std::optional<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(FullDiskTest, ServerReadsOnAndHasEverythingWhenThereIsRoomAgain) {
  const std::string refused = Mount();
  if (!refused.empty()) GTEST_SKIP() << refused;
  FaultReport report("disk full, for real");
  std::ofstream(disk() / "ballast") << std::string(kBallastBytes, 'x');
  Start();
  ASSERT_TRUE(client_
                  ->MakeState({.model = "mixed",
                               .arrays = {{"log", Log(0)}},
                               .rng_seed = 1,
                               .branch = "live",
                               .durability = Durability::kSync})
                  .ok());
  std::vector<Version> acknowledged;
  absl::Status full;
  for (int i = 0; full.ok() && i < 1000; ++i) {
    const absl::StatusOr<Version> written = Write(i);
    full = written.status();
    if (written.ok()) acknowledged.push_back(*written);
  }
  report.Got("the write that fills it", full, ErrorReason(full));
  EXPECT_THAT(ErrorReason(full), AnyOf("STORE_WRITE_FAILED", "STORE_READ_ONLY")) << full;
  EXPECT_THAT(std::string(full.message()), HasSubstr("No space left on device"));
  const absl::Status next = Write(-1).status();
  report.Got("writes", next, ErrorReason(next));
  EXPECT_EQ(next.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorReason(next), "STORE_READ_ONLY");
  EXPECT_THAT(std::string(next.message()), HasSubstr("make room"));
  ASSERT_FALSE(acknowledged.empty());
  for (size_t i = 0; i < acknowledged.size(); ++i) {
    const absl::Status read = Read(acknowledged[i], static_cast<int>(i));
    report.Got("reads", read, ErrorReason(read));
    ASSERT_TRUE(read.ok()) << i << ": " << read;
  }
  Stop();

  fs::remove(disk() / "ballast");
  const Finished verified = RunProgram({STEPWELLD, "--verify", "--data-dir", data()});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  Start();
  for (size_t i = 0; i < acknowledged.size(); ++i) {
    const absl::Status read = Read(acknowledged[i], static_cast<int>(i));
    report.Found(read.ok());
    ASSERT_TRUE(read.ok()) << i << ": " << read;
  }
  EXPECT_TRUE(Write(1).ok());
  Stop();
}

}  // namespace
}  // namespace stepwell::testing
