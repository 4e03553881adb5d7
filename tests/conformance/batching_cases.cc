// Steps of a model that declares batching: whatever ran together, each is as it is alone.
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;
using ::testing::SizeIs;

Array GruInput(int seed) {
  std::vector<float> x(32);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(seed) + static_cast<float>(i));
  return Array::From<float>({32}, x).value();
}

StepRequest GruStep(StateRef state, int seed) {
  return {.state = std::move(state), .inputs = {{"x", GruInput(seed)}}, .fetch = {{IndexPath{"hidden"}, {}}}};
}

// What a row computes may be rounded otherwise in a matrix than alone.
void ExpectNear(const Array& array, const Array& alone) {
  ASSERT_EQ(array.shape(), alone.shape());
  EXPECT_THAT(array.As<float>().value(), Pointwise(FloatNear(1e-6F), alone.As<float>().value()));
}

Version MakeGru(Api& api, std::optional<std::string> branch = std::nullopt) {
  const auto made = api.MakeState({.model = "gru_batch", .branch = std::move(branch)});
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? made->snapshot.version : Version(0);
}

void ExpectAsAlone(Api& api, const absl::StatusOr<Api::Stepped>& stepped, Version base, int seed) {
  ASSERT_TRUE(stepped.ok()) << stepped.status();
  const auto alone = api.Step(GruStep(base, seed));
  ASSERT_TRUE(alone.ok()) << alone.status();
  ExpectNear(stepped->outputs.at(0).second, alone->outputs.at(0).second);
  ExpectNear(stepped->fetched.at(0).second, alone->fetched.at(0).second);
}

TEST_P(Conformance, BatchedStepsEqualUnbatchedOnes) {
  constexpr int kStates = 150;  // More than run at once.
  BatchStepRequest request;
  std::vector<Version> bases;
  for (int i = 0; i < kStates; ++i) {
    const std::string name = absl::StrCat("gru/", i);
    const Version root = MakeGru(api(), name);
    // Each from a state of its own.
    const auto base = api().Step(GruStep(BranchName{name}, 1000 + i));
    ASSERT_TRUE(base.ok()) << base.status();
    bases.push_back(i % 2 == 0 ? base->version : root);
    request.steps.push_back(i % 2 == 0 ? GruStep(BranchName{name}, i) : GruStep(root, i));
  }
  for (const bool all_or_nothing : {false, true}) {
    request.all_or_nothing = all_or_nothing;
    const auto batch = api().BatchStep(request);
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_THAT(*batch, SizeIs(kStates));
    for (int i = 0; i < kStates; ++i) {
      const auto& result = (*batch)[static_cast<size_t>(i)];
      Version& base = bases[static_cast<size_t>(i)];
      ExpectAsAlone(api(), result, base, i);
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(api().GetSnapshot(result->version)->parent, base);
      if (i % 2 != 0) continue;
      EXPECT_EQ(api().GetBranch(absl::StrCat("gru/", i))->head, result->version);
      base = result->version;
    }
  }
}

TEST_P(Conformance, BadMembersOfABatchedRunFailAlone) {
  const Version root = MakeGru(api(), "live");
  BatchStepRequest request;
  for (int i = 0; i < 6; ++i) request.steps.push_back(GruStep(root, i));
  request.steps[1].inputs = {{"x", Array::Zeros(DType::kFloat32, Shape::Of({31}))}};
  request.steps[2].state = BranchName{"nowhere"};
  std::vector<float> nan(32, std::numeric_limits<float>::quiet_NaN());
  request.steps[3].inputs = {{"x", Array::From<float>({32}, nan).value()}};
  request.steps[3].check_finite = true;
  request.steps[4].state = BranchName{"live"};
  request.steps[4].expected_head = Version(root.value() + 1000);
  const auto batch = api().BatchStep(request);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_THAT(*batch, SizeIs(6));
  ExpectAsAlone(api(), (*batch)[0], root, 0);
  ExpectError((*batch)[1].status(), absl::StatusCode::kInvalidArgument);
  ExpectError((*batch)[2].status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError((*batch)[3].status(), absl::StatusCode::kFailedPrecondition, "NON_FINITE");
  ExpectError((*batch)[4].status(), absl::StatusCode::kAborted, "HEAD_MOVED");
  ExpectAsAlone(api(), (*batch)[5], root, 5);
  EXPECT_EQ(api().GetBranch("live")->head, root);
}

TEST_P(Conformance, BatchedStepsOfOneBranchFollowEachOther) {
  const Version root = MakeGru(api(), "live");
  BatchStepRequest request;
  for (int i = 0; i < 5; ++i) request.steps.push_back(GruStep(BranchName{"live"}, i));
  const auto batch = api().BatchStep(request);
  ASSERT_TRUE(batch.ok()) << batch.status();
  // The order in which they enter the branch is not promised; what each made is as from the one before it.
  std::map<Version, int> seeds;
  for (int i = 0; i < 5; ++i) {
    const auto& result = (*batch)[static_cast<size_t>(i)];
    ASSERT_TRUE(result.ok()) << result.status();
    const auto snapshot = api().GetSnapshot(result->version);
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    ExpectAsAlone(api(), result, *snapshot->parent, i);
    seeds.emplace(result->version, i);
  }
  Version before = root;
  for (const auto& [version, seed] : seeds) {
    EXPECT_EQ(api().GetSnapshot(version)->parent, before);
    before = version;
  }
  EXPECT_EQ(api().GetBranch("live")->head, before);
}

TEST_P(Conformance, ModelsOfABatchMayBeMixed) {
  const Version gru = MakeGru(api());
  const Version counter = Make();
  const BatchStepRequest request{
      .steps = {GruStep(gru, 1),
                {.state = counter, .inputs = {{"x", Array::Scalar<int32_t>(5)}}},
                GruStep(gru, 2),
                {.state = counter, .inputs = {{"x", Array::Scalar<int32_t>(7)}}, .keep = false}}};
  const auto batch = api().BatchStep(request);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ExpectAsAlone(api(), (*batch)[0], gru, 1);
  EXPECT_EQ((*batch)[1]->outputs.at(0).second, Array::Scalar<int32_t>(5));
  ExpectAsAlone(api(), (*batch)[2], gru, 2);
  EXPECT_EQ((*batch)[3]->outputs.at(0).second, Array::Scalar<int32_t>(7));
  EXPECT_EQ((*batch)[3]->version, counter);
}

TEST_P(Conformance, RepeatedBatchedStepIsTheSameVersion) {
  const Version root = MakeGru(api());
  BatchStepRequest request{.request_id = "batched"};
  for (int i = 0; i < 5; ++i) request.steps.push_back(GruStep(root, i));
  const auto first = api().BatchStep(request);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto again = api().BatchStep(request);
  ASSERT_TRUE(again.ok()) << again.status();
  for (size_t i = 0; i < 5; ++i) {
    ASSERT_TRUE((*again)[i].ok()) << (*again)[i].status();
    EXPECT_EQ((*again)[i]->version, (*first)[i]->version);
    ExpectNear((*again)[i]->outputs.at(0).second, (*first)[i]->outputs.at(0).second);
  }
}

}  // namespace
}  // namespace stepwell::testing
