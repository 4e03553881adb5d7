// Holds the server to what Equinox itself computed: every model of a folder, step by step, through the
// client.
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "stepwell/client/client.h"
#include "stepwell/model/safetensors.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {
namespace {

using client::Client;
using client::NamedArrays;
using client::Version;

namespace fs = std::filesystem;

constexpr double kTolerance = 1e-5;  // Relative and absolute.

// The packages to test: those of tests/data/equinox, or those made of the cases that the environment names.
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

Array Row(const Array& rows, int64_t row) {
  const absl::Span<const int64_t> dims = rows.shape().dims().subspan(1);
  const Shape shape = Shape::Make(dims).value();
  const auto bytes = static_cast<size_t>(shape.ByteCount(rows.dtype()));
  return Array::Make(rows.dtype(), shape, rows.data().Part(static_cast<size_t>(row) * bytes, bytes)).value();
}

void ExpectClose(const Array& actual, const Array& expected, const std::string& what) {
  ASSERT_EQ(actual.dtype(), expected.dtype()) << what;
  ASSERT_EQ(actual.shape(), expected.shape()) << what;
  if (actual.dtype() != DType::kFloat32) {
    EXPECT_TRUE(actual == expected) << what;
    return;
  }
  const absl::Span<const float> a = actual.As<float>().value();
  const absl::Span<const float> b = expected.As<float>().value();
  for (size_t i = 0; i < a.size(); ++i) {
    const bool close = std::abs(a[i] - b[i]) <= kTolerance + kTolerance * std::abs(b[i]);
    ASSERT_TRUE(close || (std::isnan(a[i]) && std::isnan(b[i])))
        << what << ", element " << i << ": " << a[i] << "; Equinox has " << b[i];
  }
}

class EquinoxTest : public ::testing::TestWithParam<std::string> {};

std::vector<std::string> Cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(Repository()))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST_P(EquinoxTest, EveryStepIsEquinoxes) {
  const ServerProcess server(Repository());
  const std::unique_ptr<Client> client = Client::Connect({.address = server.address()});
  const absl::StatusOr<Safetensors> trajectory =
      ReadSafetensors(Repository() / GetParam() / "trajectory.safetensors");
  ASSERT_TRUE(trajectory.ok()) << trajectory.status();
  const absl::StatusOr<v1::ModelInfo> model = client->GetModel(GetParam());
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->state(), v1::ModelInfo::READY) << model->error();
  const bool infers = trajectory->contains("infer.y");

  const auto expect_state = [&](Version version, int64_t row) {
    const auto arrays = client->GetArrays({.state = version});
    ASSERT_TRUE(arrays.ok()) << arrays.status();
    ASSERT_EQ(arrays->arrays.size(), static_cast<size_t>(model->state_spec_size()));
    for (const auto& [index, array] : arrays->arrays) {
      ExpectClose(array, Row(trajectory->at(index), row), absl::StrCat(index, " before step ", row));
    }
  };
  const auto made = client->MakeState({.model = GetParam()});
  ASSERT_TRUE(made.ok()) << made.status();
  Version version{made->snapshot().version()};
  const Array& x = trajectory->at("x");
  ASSERT_GE(x.shape()[0], 50);
  for (int64_t t = 0; t < x.shape()[0]; ++t) {
    const NamedArrays inputs = {{"x", Row(x, t)}};
    if (infers) {
      const auto inferred = client->Step({.state = version, .method = "infer", .inputs = inputs});
      ASSERT_TRUE(inferred.ok()) << inferred.status();
      EXPECT_EQ(inferred->version, version);
      ExpectClose(inferred->outputs.at(0).second, Row(trajectory->at("infer.y"), t),
                  absl::StrCat("infer.y ", t));
    }
    const auto stepped = client->Step({.state = version, .inputs = inputs});
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    ExpectClose(stepped->outputs.at(0).second, Row(trajectory->at("y"), t), absl::StrCat("y ", t));
    expect_state(stepped->version, t + 1);
    expect_state(version, t);  // The version before is what it was.
    // And steps again to the same.
    const auto forked = client->Step({.state = version, .inputs = inputs});
    ASSERT_TRUE(forked.ok()) << forked.status();
    EXPECT_NE(forked->version, stepped->version);
    ExpectClose(forked->outputs.at(0).second, Row(trajectory->at("y"), t), absl::StrCat("y of the fork ", t));
    version = stepped->version;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EquinoxTest, ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace stepwell::testing
