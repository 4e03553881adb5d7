// Holds the server to what Equinox itself computed: every model of a folder, step by step, through the
// client.
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/client/client.h"
#include "stepwell/model/safetensors.h"
#include "tests/e2e/server_process.h"
#include "tests/e2e/trajectory.h"

namespace stepwell::testing {
namespace {

using client::Client;
using client::Version;

namespace fs = std::filesystem;

// The packages to test: those of tests/data/equinox, or those that package.py makes of the cases that the
// environment names.
const fs::path& Repository() {
  static const fs::path& repository = *new fs::path([]() -> fs::path {
    const char* cases = std::getenv("STEPWELL_EQUINOX_REFERENCE");
    if (cases == nullptr) return STEPWELL_SOURCE_DIR "/tests/data/equinox";
    const fs::path made = fs::path(::testing::TempDir()) / absl::StrCat("equinox_", getpid());
    const std::string command = absl::StrCat("python3 '", STEPWELL_SOURCE_DIR, "/tools/equinox/package.py' '",
                                             cases, "' '", made.string(), "'");
    if (std::system(command.c_str()) != 0) std::abort();
    return made;
  }());
  return repository;
}

// Removes the packages that were made, after all tests.
class Cleanup : public ::testing::Environment {
 public:
  void TearDown() override {
    if (std::getenv("STEPWELL_EQUINOX_REFERENCE") != nullptr) fs::remove_all(Repository());
  }
};
const ::testing::Environment* const cleanup = ::testing::AddGlobalTestEnvironment(new Cleanup);

std::vector<std::string> Cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(Repository()))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

class EquinoxTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto trajectory = ReadSafetensors(Repository() / GetParam() / "trajectory.safetensors");
    ASSERT_TRUE(trajectory.ok()) << trajectory.status();
    trajectory_ = *std::move(trajectory);
    const auto model = client_->GetModel(GetParam());
    ASSERT_TRUE(model.ok()) << model.status();
    ASSERT_EQ(model->state(), v1::ModelInfo::READY) << model->error();
    for (const auto& array : model->state_spec()) indices_.push_back(array.tensor().name());
  }

  int64_t steps() const { return trajectory_.at("x").shape()[0]; }
  bool infers() const { return trajectory_.contains("infer.y"); }

  // The state of `version` is what Equinox had before step `row`.
  void ExpectState(Version version, int64_t row) {
    const auto read = client_->GetArrays({.state = version});
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->arrays.size(), indices_.size());
    for (size_t i = 0; i < indices_.size(); ++i) {
      const auto& [index, array] = read->arrays[i];
      ASSERT_EQ(index, indices_[i]);
      ExpectClose(array, Row(trajectory_.at(index), row), absl::StrCat(index, " before step ", row));
    }
  }

  // Runs step t of `method` on `version`, expects the output that `expected` has for it, and returns the
  // version.
  Version Run(const std::string& method, Version version, int64_t t, const std::string& expected) {
    const auto stepped =
        client_->Step({.state = version, .method = method, .inputs = {{"x", Row(trajectory_.at("x"), t)}}});
    EXPECT_TRUE(stepped.ok()) << stepped.status();
    if (!stepped.ok()) return {};
    EXPECT_EQ(stepped->outputs.size(), 1u);
    EXPECT_EQ(stepped->outputs.at(0).first, "y");
    ExpectClose(stepped->outputs[0].second, Row(trajectory_.at(expected), t),
                absl::StrCat(method, "'s y of step ", t));
    return stepped->version;
  }

  const ServerProcess server_{Repository()};
  const std::unique_ptr<Client> client_ = Client::Connect({.address = server_.address()});
  Safetensors trajectory_;
  std::vector<std::string> indices_;
};

TEST_P(EquinoxTest, EveryArrayOfTheTrajectoryIsState) {
  std::vector<std::string> recorded;
  for (const auto& [name, rows] : trajectory_) {
    if (name != "x" && name != "y" && name != "infer.y") recorded.push_back(name);
  }
  EXPECT_THAT(indices_, ::testing::UnorderedElementsAreArray(recorded));
}

TEST_P(EquinoxTest, EveryStepIsEquinoxes) {
  const auto made = client_->MakeState({.model = GetParam()});
  ASSERT_TRUE(made.ok()) << made.status();
  std::vector<Version> versions = {{made->snapshot().version()}};
  ExpectState(versions[0], 0);
  ASSERT_GT(steps(), 0);
  for (int64_t t = 0; t < steps() && !HasFailure(); ++t) {
    const Version before = versions.back();
    if (infers()) {
      EXPECT_EQ(Run("infer", before, t, "infer.y"), before);
    }
    const Version after = Run("step", before, t, "y");
    ExpectState(after, t + 1);
    ExpectState(before, t);
    // The version before steps again, to the same.
    const Version fork = Run("step", before, t, "y");
    EXPECT_NE(fork, after);
    ExpectState(fork, t + 1);
    versions.push_back(after);
  }
  // Later steps have changed no version.
  for (size_t t = 0; t < versions.size(); ++t) ExpectState(versions[t], static_cast<int64_t>(t));
}

INSTANTIATE_TEST_SUITE_P(Models, EquinoxTest, ::testing::ValuesIn(Cases()), [](const auto& info) {
  return absl::StrReplaceAll(info.param, {{"-", "_"}, {".", "_"}});
});

}  // namespace
}  // namespace stepwell::testing
