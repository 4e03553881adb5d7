#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST_P(Conformance, AncestorsAreListedNewestFirstPageByPage) {
  const Version root = Make();
  const Version one = Add(root, 1).value();
  Add(root, 5).value();  // A sibling, which is nobody's ancestor.
  const Version two = Add(one, 1).value();
  const Version three = Add(two, 1).value();
  for (const size_t limit : {1u, 2u, 3u, 4u, 100u}) {
    EXPECT_THAT(VersionsOf(api().ListSnapshots({.of = StateRef(three), .limit = limit})),
                ElementsAre(three, two, one, root));
  }
  EXPECT_THAT(VersionsOf(api().ListSnapshots({.of = StateRef(root)})), ElementsAre(root));
  ExpectError(api().ListSnapshots({.of = StateRef(Version(1 << 30))}).status(), absl::StatusCode::kNotFound,
              "SNAPSHOT_UNKNOWN");
  ExpectError(api().ListSnapshots({.of = StateRef(BranchName{"no"})}).status(), absl::StatusCode::kNotFound,
              "BRANCH_NOT_FOUND");
}

TEST_P(Conformance, AllOfAModelIsListedNewestFirst) {
  const Version root = Make();
  const auto other = api().MakeState({.model = "batchnorm_batch"});
  ASSERT_TRUE(other.ok()) << other.status();
  const Version one = Add(root, 1).value(), fork = Add(root, 2).value();
  for (const size_t limit : {1u, 2u, 100u}) {
    EXPECT_THAT(
        VersionsOf(api().ListSnapshots({.of = ListSnapshotsRequest::Model{"counter"}, .limit = limit})),
        ElementsAre(fork, one, root));
  }
  EXPECT_THAT(VersionsOf(api().ListSnapshots({.of = ListSnapshotsRequest::Model{"batchnorm_batch"}})),
              ElementsAre(other->snapshot.version));
  EXPECT_THAT(VersionsOf(api().ListSnapshots({.of = ListSnapshotsRequest::Model{"none"}})), IsEmpty());
}

TEST_P(Conformance, ListsByLabelAndTime) {
  const Version root = Make();
  std::vector<Version> labelled;
  Version at = root;
  for (int i = 0; i < 6; ++i) {
    const auto stepped = api().Step({.state = at,
                                     .inputs = {{"x", Array::Scalar<int32_t>(1)}},
                                     .labels = {{"parity", i % 2 == 0 ? "even" : "odd"}, {"all", "yes"}}});
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    at = stepped->version;
    if (i % 2 == 0) labelled.insert(labelled.begin(), at);
  }
  for (const size_t limit : {1u, 2u, 100u}) {
    EXPECT_EQ(VersionsOf(api().ListSnapshots(
                  {.of = StateRef(at), .labels = {{"parity", "even"}, {"all", "yes"}}, .limit = limit})),
              labelled);
  }
  EXPECT_THAT(VersionsOf(api().ListSnapshots({.of = StateRef(at), .labels = {{"parity", "none"}}})),
              IsEmpty());
  const absl::Time middle = api().GetSnapshot(labelled[1])->create_time;
  const auto since = api().ListSnapshots({.of = StateRef(at), .begin_time = middle});
  for (const SnapshotRecord& snapshot : since.value()) EXPECT_GE(snapshot.create_time, middle);
  EXPECT_EQ(VersionsOf(since).front(), at);
  const auto before = api().ListSnapshots({.of = StateRef(at), .end_time = middle});
  for (const SnapshotRecord& snapshot : before.value()) EXPECT_LT(snapshot.create_time, middle);
  EXPECT_EQ(VersionsOf(before).back(), root);
}

TEST_P(Conformance, LabelsAndPinOfASnapshotChangeAndItsStateDoesNot) {
  const Version root = Make();
  ASSERT_TRUE(api().UpdateSnapshot({.version = root, .labels = Labels{{"good", "yes"}}}).ok());
  const auto pinned = api().UpdateSnapshot({.version = root, .pinned = true});
  ASSERT_TRUE(pinned.ok()) << pinned.status();
  EXPECT_TRUE(pinned->pinned);
  EXPECT_THAT(*pinned->labels, ElementsAre(Pair("good", "yes")));
  EXPECT_TRUE(api().GetSnapshot(root)->pinned);
  EXPECT_EQ(Count(root).value(), 0);
  const Version one = Add(root, 1).value();
  EXPECT_FALSE(api().GetSnapshot(one)->pinned) << "a child is not what its parent is";
  EXPECT_THAT(*api().GetSnapshot(one)->labels, IsEmpty());
  ASSERT_TRUE(api().UpdateSnapshot({.version = root, .pinned = false}).ok());
  EXPECT_FALSE(api().GetSnapshot(root)->pinned);
  ExpectError(api().UpdateSnapshot({.version = Version(1 << 30), .pinned = true}).status(),
              absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
}

}  // namespace
}  // namespace stepwell::testing
