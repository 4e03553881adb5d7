#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {

namespace fs = std::filesystem;

Conformance::Conformance()
    : models_(fs::path(::testing::TempDir()) / absl::StrCat("conformance_", getpid())) {
  fs::create_directories(models_);
  for (const char* package : {"tests/data/equinox/counter", "tests/data/equinox/batchnorm_batch",
                              "examples/models/gru_batch", "examples/models/attention_decoder"}) {
    const fs::path from = fs::path(STEPWELL_SOURCE_DIR) / package;
    fs::copy(from, models_ / from.filename(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }
  api_ = GetParam().make(models_);
}

Conformance::~Conformance() {
  api_.reset();
  fs::remove_all(models_);
}

void Conformance::ExpectError(const absl::Status& status, absl::StatusCode code,
                              const std::string& reason) const {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(api_->Reason(status), reason) << status;
}

Version Conformance::Make(std::optional<std::string> branch) {
  const auto made = api_->MakeState({.model = "counter", .branch = std::move(branch)});
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? made->snapshot.version : Version(0);
}

absl::StatusOr<Version> Conformance::Add(const StateRef& state, int32_t x) {
  const auto stepped = api_->Step({.state = state, .inputs = {{"x", Array::Scalar<int32_t>(x)}}});
  if (!stepped.ok()) return stepped.status();
  return stepped->version;
}

absl::StatusOr<int32_t> Conformance::Count(const StateRef& state) {
  const auto read = api_->GetArrays({.state = state, .selectors = {{IndexPath{"count"}, {}}}});
  if (!read.ok()) return read.status();
  return read->arrays.at(0).second.As<int32_t>().value()[0];
}

std::vector<Version> Conformance::MakeLine(const std::string& branch, int count) {
  std::vector<Version> line = {Make(branch)};
  for (int i = 0; i < count; ++i) line.push_back(Add(BranchName{branch}, 1).value());
  return line;
}

}  // namespace stepwell::testing
