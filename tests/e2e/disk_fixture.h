#ifndef STEPWELL_TESTS_E2E_DISK_FIXTURE_H_
#define STEPWELL_TESTS_E2E_DISK_FIXTURE_H_

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "stepwell/client/client.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {

// How a server ends.
enum class End { kStopped, kKilled };
inline std::string EndName(const ::testing::TestParamInfo<End>& test) {
  return test.param == End::kStopped ? "AStoppedServer" : "AKilledServer";
}

// A server with a data directory and the model counter, which can be started again on both.
class DiskTest : public ::testing::Test {
 protected:
  DiskTest() : folder_(std::filesystem::path(::testing::TempDir()) / absl::StrCat("disk_", getpid())) {
    std::filesystem::create_directories(models());
    std::filesystem::copy(std::filesystem::path(STEPWELL_SOURCE_DIR) / "tests/data/equinox/counter",
                          models() / "counter");
  }
  ~DiskTest() override {
    client_.reset();
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path models() const { return folder_ / "models"; }
  std::string data() const { return (folder_ / "data").string(); }

  void Start(std::vector<std::string> flags = {}) {
    flags.insert(flags.end(), {"--data-dir", data()});
    server_.emplace(models(), flags);
    client_ = client::Client::Connect({.address = server_->address(), .retry = {.max_attempts = 1}});
  }
  void Restart(End how, std::vector<std::string> flags = {}) {
    client_.reset();
    if (how == End::kKilled) server_->Kill();
    server_.reset();
    Start(std::move(flags));
  }

  client::Version Make(const std::string& branch) {
    const auto made =
        client_->MakeState({.model = "counter", .branch = branch, .durability = client::Durability::kSync});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? client::Version{made->snapshot().version()} : client::Version{};
  }
  absl::StatusOr<client::Version> Add(const client::StateRef& state, int32_t x,
                                      const std::string& request_id = "") {
    const auto stepped = client_->Step({.state = state,
                                        .inputs = {{"x", Array::Scalar<int32_t>(x)}},
                                        .request_id = request_id,
                                        .durability = client::Durability::kSync});
    if (!stepped.ok()) return stepped.status();
    return stepped->version;
  }
  int32_t Count(const client::StateRef& state) {
    const auto read = client_->GetArrays({.state = state, .selectors = {{client::IndexPath{"count"}, {}}}});
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? read->arrays.at(0).second.As<int32_t>().value()[0] : -1;
  }
  std::vector<int64_t> History(const client::StateRef& state) {
    std::vector<int64_t> versions;
    const auto listed = client_->ListSnapshots({.of = state});
    EXPECT_TRUE(listed.ok()) << listed.status();
    if (!listed.ok()) return versions;
    for (const v1::Snapshot& snapshot : listed->snapshots()) versions.push_back(snapshot.version());
    return versions;
  }

  const std::filesystem::path folder_;
  std::optional<ServerProcess> server_;
  std::unique_ptr<client::Client> client_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_E2E_DISK_FIXTURE_H_
