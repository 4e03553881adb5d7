#include <limits>

#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

Array Ints(const std::vector<int32_t>& values) {
  return Array::From<int32_t>({static_cast<int64_t>(values.size())}, values).value();
}

TEST_P(Conformance, ScanIsItsStepsOneAfterTheOther) {
  const Version root = Make("live");
  const auto scanned = api().Scan({.state = BranchName{"live"},
                                   .inputs = {{"x", Ints({1, 2, 3, 4})}},
                                   .fetch = {{IndexPath{"count"}, {}}},
                                   .labels = {{"by", "scan"}}});
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_THAT(scanned->outputs, ElementsAre(Pair("y", Ints({1, 3, 6, 10}))));
  EXPECT_THAT(scanned->fetched, ElementsAre(Pair("count", Array::Scalar<int32_t>(10))));
  ASSERT_THAT(scanned->versions, SizeIs(1));
  EXPECT_EQ(api().GetBranch("live")->head, scanned->versions[0]);
  const auto snapshot = api().GetSnapshot(scanned->versions[0]);
  EXPECT_EQ(snapshot->parent, root);
  EXPECT_EQ(snapshot->step_count, 4);
  EXPECT_EQ(snapshot->origin->method, "step");
  EXPECT_THAT(*snapshot->labels, ElementsAre(Pair("by", "scan")));
  EXPECT_EQ(Count(root).value(), 0);
}

TEST_P(Conformance, ScanKeepsEveryKthVersionAndTheLast) {
  const Version root = Make();
  for (const auto& [every, steps] : std::vector<std::pair<int64_t, std::vector<int64_t>>>{
           {1, {1, 2, 3, 4, 5}}, {2, {2, 4, 5}}, {5, {5}}, {9, {5}}, {0, {5}}}) {
    const auto scanned =
        api().Scan({.state = root, .inputs = {{"x", Ints({1, 1, 1, 1, 1})}}, .keep_every = every});
    ASSERT_TRUE(scanned.ok()) << scanned.status();
    ASSERT_THAT(scanned->versions, SizeIs(steps.size()));
    Version parent = root;
    for (size_t i = 0; i < steps.size(); ++i) {
      const auto snapshot = api().GetSnapshot(scanned->versions[i]);
      EXPECT_EQ(snapshot->step_count, steps[i]);
      EXPECT_EQ(snapshot->parent, parent);
      EXPECT_EQ(Count(scanned->versions[i]).value(), steps[i]);
      parent = scanned->versions[i];
    }
  }
}

TEST_P(Conformance, ScanOfAPureMethodMintsNothing) {
  const auto made = api().MakeState({.model = "batchnorm_batch", .branch = "norm"});
  ASSERT_TRUE(made.ok()) << made.status();
  const auto scanned = api().Scan({.state = BranchName{"norm"},
                                   .method = "infer",
                                   .inputs = {{"x", Array::Zeros(DType::kFloat32, Shape::Of({3, 8, 4}))}},
                                   .keep_every = 1});
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_THAT(scanned->versions, ElementsAre(made->snapshot.version));
  EXPECT_EQ(scanned->outputs.at(0).second.shape(), Shape::Of({3, 8, 4}));
}

TEST_P(Conformance, ScanThatCannotBeMakesNothing) {
  const Version root = Make("live");
  const StateRef live = BranchName{"live"};
  const auto expect_invalid = [this](const ScanRequest& request, const std::string& what) {
    const absl::Status refused = api().Scan(request).status();
    ExpectError(refused, absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.message()), HasSubstr(what));
  };
  expect_invalid({.state = live, .inputs = {{"x", Array::Scalar<int32_t>(1)}}}, "has no axis");
  expect_invalid({.state = live, .inputs = {{"x", Ints({1, 2})}}, .step_count = 3}, "expected 3");
  expect_invalid({.state = live, .inputs = {{"x", Ints({})}}}, "0 steps");
  expect_invalid({.state = live, .inputs = {{"x", Ints({1})}}, .keep_every = -1}, "keep_every is -1");
  expect_invalid({.state = live, .inputs = {{"z", Ints({1})}}}, "no input \"z\"");
  expect_invalid({.state = live}, "missing");
  expect_invalid({.state = live, .inputs = {{"x", Ints({1})}}, .output_names = {"z"}}, "no output \"z\"");
  expect_invalid({.state = live, .inputs = {{"x", Array::Zeros(DType::kFloat32, Shape::Of({2}))}}},
                 "float32");
  ExpectError(
      api().Scan({.state = live, .inputs = {{"x", Ints({1})}}, .expected_head = Version(1 << 30)}).status(),
      absl::StatusCode::kAborted, "HEAD_MOVED");
  EXPECT_EQ(api().GetBranch("live")->head, root);
}

TEST_P(Conformance, ErrorOfAStepSaysWhichAndKeepsNothing) {
  const auto made = api().MakeState({.model = "batchnorm_batch", .branch = "norm"});
  ASSERT_TRUE(made.ok()) << made.status();
  std::vector<float> values(size_t{5} * 8 * 4, 1);
  values[3 * 8 * 4] = std::numeric_limits<float>::infinity();  // In step 3.
  const absl::Status status = api()
                                  .Scan({.state = BranchName{"norm"},
                                         .inputs = {{"x", Array::From<float>({5, 8, 4}, values).value()}},
                                         .keep_every = 1,
                                         .check_finite = true})
                                  .status();
  ExpectError(status, absl::StatusCode::kFailedPrecondition, "NON_FINITE");
  EXPECT_EQ(api().Metadata(status, "step"), "3") << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("step 3"));
  EXPECT_EQ(api().GetBranch("norm")->head, made->snapshot.version);
  EXPECT_THAT(VersionsOf(api().ListSnapshots({.of = ListSnapshotsRequest::Model{"batchnorm_batch"}})),
              ElementsAre(made->snapshot.version));
}

TEST_P(Conformance, RepeatedScanIsOneScan) {
  Make("live");
  const ScanRequest request{.state = BranchName{"live"},
                            .inputs = {{"x", Ints({1, 2, 3})}},
                            .keep_every = 1,
                            .fetch = {{IndexPath{"count"}, {}}},
                            .request_id = "scan"};
  const auto first = api().Scan(request);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(Add(BranchName{"live"}, 100).ok());
  const auto again = api().Scan(request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->versions, first->versions);
  EXPECT_EQ(again->outputs, first->outputs);
  EXPECT_EQ(again->fetched, first->fetched);
  EXPECT_EQ(Count(BranchName{"live"}).value(), 106);
}

}  // namespace
}  // namespace stepwell::testing
