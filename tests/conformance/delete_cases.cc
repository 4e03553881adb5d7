#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;

TEST_P(Conformance, DeletedSnapshotIsEvictedAndWhatDescendsFromItIsWhole) {
  const Version root = Make();
  const Version one = Add(root, 1).value();
  const Version two = Add(one, 1).value();
  const Version fork = Add(one, 10).value();
  EXPECT_EQ(api().DeleteSnapshots({.versions = {one}}).value(), 4) << "its count, which nobody else has";
  ExpectError(api().GetSnapshot(one).status(), absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
  ExpectError(Count(one).status(), absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
  ExpectError(Add(one, 1).status(), absl::StatusCode::kNotFound, "SNAPSHOT_EVICTED");
  ExpectError(api().CreateBranch({.name = "late", .state = one}).status(), absl::StatusCode::kNotFound,
              "SNAPSHOT_EVICTED");
  ExpectError(api().UpdateSnapshot({.version = one, .pinned = true}).status(), absl::StatusCode::kNotFound,
              "SNAPSHOT_EVICTED");
  EXPECT_EQ(Count(two).value(), 2);
  EXPECT_EQ(Count(fork).value(), 11);
  EXPECT_EQ(Count(Add(two, 1).value()).value(), 3);
  EXPECT_EQ(api().GetSnapshot(two)->parent, one) << "where it came from stays true";
}

TEST_P(Conformance, ListingsGoOnPastWhatWasDeleted) {
  std::vector<Version> versions = {Make()};
  for (int i = 0; i < 6; ++i) versions.push_back(Add(versions.back(), 1).value());
  ASSERT_TRUE(api().DeleteSnapshots({.versions = {versions[1], versions[4], versions[3]}}).ok());
  for (const size_t limit : {1u, 2u, 100u}) {
    EXPECT_THAT(VersionsOf(api().ListSnapshots({.of = StateRef(versions[6]), .limit = limit})),
                ElementsAre(versions[6], versions[5], versions[2], versions[0]));
    EXPECT_THAT(
        VersionsOf(api().ListSnapshots({.of = ListSnapshotsRequest::Model{"counter"}, .limit = limit})),
        ElementsAre(versions[6], versions[5], versions[2], versions[0]));
  }
  ExpectError(api().ListSnapshots({.of = StateRef(versions[3])}).status(), absl::StatusCode::kNotFound,
              "SNAPSHOT_EVICTED");
}

TEST_P(Conformance, ArraysThatOthersShareStayUntilNobodyDoes) {
  const auto made = api().MakeState({.model = "batchnorm_batch"});
  ASSERT_TRUE(made.ok()) << made.status();
  const Version root = made->snapshot.version;
  const auto set = [this](Version state, int64_t position) {
    return api().SetArrays(
        {.state = state,
         .arrays = {{IndexPosition{position}, Array::Zeros(DType::kFloat32, Shape::Of({4}))}}});
  };
  const Version left = set(root, 1)->version;
  const Version right = set(root, 2)->version;
  EXPECT_EQ(api().DeleteSnapshots({.versions = {root}}).value(), 0)
      << "one array is shared by both, the others by one";
  EXPECT_EQ(api().GetArrays({.state = left})->arrays.size(), 3u);
  EXPECT_EQ(api().GetArrays({.state = right})->arrays.size(), 3u);
  EXPECT_EQ(api().DeleteSnapshots({.versions = {left}}).value(), 16 + 16);
  EXPECT_EQ(api().GetArrays({.state = right})->arrays.size(), 3u);
  EXPECT_EQ(api().DeleteSnapshots({.versions = {right}}).value(), 16 + 16 + 4);
}

TEST_P(Conformance, DeletionOfSeveralIsAllOrNothing) {
  const Version root = Make("kept");
  const Version one = Add(root, 1).value();
  const Version two = Add(one, 1).value();
  const auto refused = api().DeleteSnapshots({.versions = {two, root}});
  ExpectError(refused.status(), absl::StatusCode::kFailedPrecondition, "SNAPSHOT_IS_HEAD");
  EXPECT_EQ(api().Metadata(refused.status(), "branch"), "kept");
  ASSERT_TRUE(api().UpdateSnapshot({.version = one, .pinned = true}).ok());
  ExpectError(api().DeleteSnapshots({.versions = {two, one}}).status(), absl::StatusCode::kFailedPrecondition,
              "SNAPSHOT_PINNED");
  ExpectError(api().DeleteSnapshots({.versions = {two, Version(1 << 30)}}).status(),
              absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
  EXPECT_EQ(Count(two).value(), 2) << "nothing has gone";

  ASSERT_TRUE(api().UpdateSnapshot({.version = one, .pinned = false}).ok());
  ASSERT_TRUE(Add(BranchName{"kept"}, 1).ok());
  EXPECT_TRUE(api().DeleteSnapshots({.versions = {two, root, one, root}}).ok())
      << "a version that is named twice counts once, and the head has moved on";
  ExpectError(api().DeleteSnapshots({.versions = {two}}).status(), absl::StatusCode::kNotFound,
              "SNAPSHOT_EVICTED");
  EXPECT_EQ(Count(BranchName{"kept"}).value(), 1);
}

TEST_P(Conformance, DeletionOfNothingIsInvalid) {
  ExpectError(api().DeleteSnapshots({}).status(), absl::StatusCode::kInvalidArgument);
  ExpectError(api().DeleteSnapshots({.versions = std::vector<Version>(10'001, Make())}).status(),
              absl::StatusCode::kInvalidArgument);
}

TEST_P(Conformance, RepeatOfADeletionIsAnsweredAsTheFirst) {
  const Version root = Make();
  const Version one = Add(root, 1).value();
  const DeleteSnapshotsRequest request{.versions = {one}, .request_id = "delete"};
  EXPECT_EQ(api().DeleteSnapshots(request).value(), 4);
  EXPECT_EQ(api().DeleteSnapshots(request).value(), 4);
  ExpectError(api().DeleteSnapshots({.versions = {root}, .request_id = "delete"}).status(),
              absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED");
}

TEST_P(Conformance, DeletedBranchFreesItsHead) {
  const Version root = Make("only");
  ASSERT_TRUE(api().DeleteBranch({.name = "only"}).ok());
  EXPECT_EQ(api().DeleteSnapshots({.versions = {root}}).value(), 4);
}

}  // namespace
}  // namespace stepwell::testing
