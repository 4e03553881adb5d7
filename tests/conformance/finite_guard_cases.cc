#include <limits>

#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

TEST_P(Conformance, CheckedStepMakesNoNaN) {
  const auto made = api().MakeState({.model = "batchnorm_batch", .branch = "checked"});
  ASSERT_TRUE(made.ok()) << made.status();
  std::vector<float> values(size_t{8} * 4, 1);
  StepRequest request{.state = BranchName{"checked"},
                      .inputs = {{"x", Array::From<float>({8, 4}, values).value()}},
                      .check_finite = true};
  const auto finite = api().Step(request);
  ASSERT_TRUE(finite.ok()) << finite.status();

  values[6] = std::numeric_limits<float>::quiet_NaN();
  request.inputs[0].second = Array::From<float>({8, 4}, values).value();
  for (const bool keep : {true, false}) {
    request.keep = keep;
    const absl::Status status = api().Step(request).status();
    ExpectError(status, absl::StatusCode::kFailedPrecondition, "NON_FINITE");
    EXPECT_EQ(api().Metadata(status, "position"), "[2]") << status;
    EXPECT_FALSE(api().Metadata(status, "index").empty()) << status;
    EXPECT_EQ(api().GetBranch("checked")->head, finite->version);
  }
  EXPECT_EQ(VersionsOf(api().ListSnapshots({.of = ListSnapshotsRequest::Model{"batchnorm_batch"}})).size(),
            2u);

  request.keep = true;
  request.check_finite = false;
  EXPECT_TRUE(api().Step(request).ok());
}

}  // namespace
}  // namespace stepwell::testing
