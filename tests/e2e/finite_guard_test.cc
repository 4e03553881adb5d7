// A step that would write a NaN or an infinity, where that is not allowed.
#include <limits>

#include "tests/e2e/server_fixture.h"

namespace stepwell::testing {
namespace {

using client::BranchName;
using client::ErrorMetadata;
using client::Version;
using ::testing::Contains;
using ::testing::Pair;

namespace fs = std::filesystem;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST_F(ServerTest, StepThatChecksItsStateMakesNoNaN) {
  const Version root = Make("picky", "checked");
  const client::StepRequest request{
      .state = BranchName{"checked"}, .inputs = {{"x", Floats({3}, {1, kNaN, 2})}}, .check_finite = true};
  const absl::Status status = client_->Step(request).status();
  ExpectError(status, absl::StatusCode::kFailedPrecondition, "NON_FINITE",
              "wrote NaN at [1] of index \"total\"; expected finite numbers");
  EXPECT_THAT(ErrorMetadata(status), Contains(Pair("index", "total")));
  EXPECT_THAT(ErrorMetadata(status), Contains(Pair("position", "[1]")));
  EXPECT_EQ(client_->GetBranch("checked")->head(), root.value);
  // The next is not held up, and one that does not ask writes what it computes.
  EXPECT_TRUE(client_
                  ->Step({.state = BranchName{"checked"},
                          .inputs = {{"x", Floats({3}, {1, 1, 1})}},
                          .check_finite = true})
                  .ok());
  EXPECT_TRUE(client_->Step({.state = root, .inputs = request.inputs}).ok());
}

TEST_F(ServerTest, PackageMayHaveEveryStepChecked) {
  const fs::path package = repository_ / "guarded";
  fs::copy(repository_ / "picky", package);
  std::ofstream(package / "model.textproto", std::ios::app) << "check_finite: true\n";
  const auto loaded = client_->LoadModel("guarded");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(loaded->check_finite());
  EXPECT_FALSE(client_->GetModel("picky")->check_finite());
  const Version root = Make("guarded");
  ExpectError(client_->Step({.state = root, .inputs = {{"x", Floats({3}, {kNaN, 0, 0})}}}).status(),
              absl::StatusCode::kFailedPrecondition, "NON_FINITE", "at [0] of index \"total\"");
  EXPECT_TRUE(client_->Step({.state = root, .inputs = {{"x", Floats({3}, {1, 2, 3})}}}).ok());
}

}  // namespace
}  // namespace stepwell::testing
