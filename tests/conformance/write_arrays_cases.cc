#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST_P(Conformance, WriteArraysMakesAVersionWithThemReplaced) {
  const Version root = Make("written");
  const SetArraysRequest request{.state = BranchName{"written"},
                                 .arrays = {{IndexPath{"count"}, Array::Scalar<int32_t>(42)}},
                                 .expected_head = root,
                                 .labels = {{"why", "test"}},
                                 .request_id = "write"};
  const auto written = api().WriteArrays(request);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->parent, root);
  EXPECT_EQ(written->step_count, 0);
  EXPECT_THAT(*written->labels, ElementsAre(Pair("why", "test")));
  EXPECT_EQ(Count(BranchName{"written"}).value(), 42);
  EXPECT_EQ(Count(root).value(), 0);
  EXPECT_EQ(api().WriteArrays(request)->version, written->version) << "a repeat";
}

TEST_P(Conformance, WriteArraysThatDoesNotFitMakesNothing) {
  const Version root = Make("unwritten");
  const auto write = [&](Index index, Array array) {
    return api().WriteArrays(
        {.state = BranchName{"unwritten"}, .arrays = {{std::move(index), std::move(array)}}});
  };
  ExpectError(write(IndexPath{"count"}, Array::Scalar<float>(1)).status(),
              absl::StatusCode::kInvalidArgument);
  ExpectError(write(IndexPath{"count"}, Array::Zeros(DType::kInt32, Shape::Of({2}))).status(),
              absl::StatusCode::kInvalidArgument);
  ExpectError(write(IndexPath{"total"}, Array::Scalar<int32_t>(1)).status(), absl::StatusCode::kNotFound,
              "INDEX_NOT_FOUND");
  ExpectError(write(IndexPosition{9}, Array::Scalar<int32_t>(1)).status(), absl::StatusCode::kOutOfRange);
  ExpectError(api()
                  .WriteArrays({.state = BranchName{"unwritten"},
                                .arrays = {{IndexPath{"count"}, Array::Scalar<int32_t>(1)}},
                                .expected_head = Version(root.value() + 100)})
                  .status(),
              absl::StatusCode::kAborted, "HEAD_MOVED");
  EXPECT_EQ(api().GetBranch("unwritten")->head, root);
}

}  // namespace
}  // namespace stepwell::testing
