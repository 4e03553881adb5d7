#ifndef STEPWELL_TESTS_E2E_SERVER_FIXTURE_H_
#define STEPWELL_TESTS_E2E_SERVER_FIXTURE_H_

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "stepwell/client/client.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {

inline void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& reason,
                        const std::string& what = "") {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(client::ErrorReason(status), reason) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(what));
}

inline Array Floats(std::vector<int64_t> dims, std::vector<float> values) {
  return Array::From<float>(dims, values).value();
}
inline Array Int(int32_t value) { return Array::Scalar<int32_t>(value); }

// A server and a client of it for all tests of a suite, with a repository of their own: counter,
// conv_batchnorm, picky and mixed. Messages hold at most 64 KiB.
class ServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    repository_ = std::filesystem::path(::testing::TempDir()) / absl::StrCat("models_", getpid());
    std::filesystem::create_directories(repository_);
    for (const char* model : {"equinox/counter", "equinox/conv_batchnorm", "models/picky", "models/mixed"}) {
      std::filesystem::copy(Data() / model, repository_ / std::filesystem::path(model).filename());
    }
    const std::filesystem::path config = repository_ / ".stepwelld.textproto";
    std::ofstream(config) << "max_message_bytes: 65536 grace_period_seconds: 20\n";
    server_ = new ServerProcess(repository_, {"--config", config.string()});
    client_ = client::Client::Connect({.address = server_->address(), .retry = {.max_attempts = 1}});
  }
  static void TearDownTestSuite() {
    client_.reset();
    delete server_;
    std::filesystem::remove_all(repository_);
  }

  static std::filesystem::path Data() { return STEPWELL_SOURCE_DIR "/tests/data"; }
  static std::shared_ptr<grpc::Channel> Channel() {
    return grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  }

  static client::Version Make(const std::string& model, std::optional<std::string> branch = std::nullopt) {
    const auto made = client_->MakeState({.model = model, .branch = std::move(branch)});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? client::Version{made->snapshot().version()} : client::Version{};
  }
  static absl::StatusOr<int32_t> Count(const client::StateRef& state) {
    const auto arrays = client_->GetArrays({.state = state, .selectors = {{client::IndexPath{"count"}, {}}}});
    if (!arrays.ok()) return arrays.status();
    return arrays->arrays.at(0).second.As<int32_t>().value()[0];
  }

  static inline std::filesystem::path repository_;
  static inline ServerProcess* server_ = nullptr;
  static inline std::unique_ptr<client::Client> client_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_E2E_SERVER_FIXTURE_H_
