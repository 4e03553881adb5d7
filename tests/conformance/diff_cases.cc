#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = ArrayDiff::Kind;

TEST_P(Conformance, DiffTellsWhatChangedAndHowFar) {
  const Version root = Make("diffed");
  ASSERT_TRUE(Add(BranchName{"diffed"}, 7).ok());
  EXPECT_THAT(api().DiffSnapshots({.from = root, .to = BranchName{"diffed"}}).value(),
              ElementsAre(Api::Diff{"count", Kind::kChanged, 7}));
  EXPECT_THAT(api().DiffSnapshots({.from = root, .to = root}).value(), IsEmpty());
  EXPECT_THAT(api().DiffSnapshots({.from = root, .to = root, .include_same = true}).value(),
              ElementsAre(Api::Diff{"count", Kind::kSame, 0}));
}

TEST_P(Conformance, DiffOfOtherModelsMatchesByIndex) {
  const auto other = api().MakeState({.model = "batchnorm_batch"});
  ASSERT_TRUE(other.ok()) << other.status();
  const auto diff = api().DiffSnapshots({.from = Make(), .to = other->snapshot.version});
  EXPECT_THAT(diff.value(), ElementsAre(Api::Diff{"batch_counter", Kind::kAdded, std::nullopt},
                                        Api::Diff{"batch_state_index[0]", Kind::kAdded, std::nullopt},
                                        Api::Diff{"batch_state_index[1]", Kind::kAdded, std::nullopt},
                                        Api::Diff{"count", Kind::kRemoved, std::nullopt}));
}

TEST_P(Conformance, DiffOfWhatIsNotThereSaysWhat) {
  const Version root = Make();
  ExpectError(api().DiffSnapshots({.from = root, .to = Version(1 << 30)}).status(),
              absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
  ExpectError(api().DiffSnapshots({.from = BranchName{"none"}, .to = root}).status(),
              absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError(api().DiffSnapshots({.from = root, .to = root, .index = Index(IndexPath{"total"})}).status(),
              absl::StatusCode::kNotFound, "INDEX_NOT_FOUND");
  ExpectError(api().DiffSnapshots({.from = root, .to = root, .index = Index(IndexPosition{1})}).status(),
              absl::StatusCode::kOutOfRange);
  const Version gone = Add(root, 1).value();
  ASSERT_TRUE(api().DeleteSnapshots({.versions = {gone}}).ok());
  ExpectError(api().DiffSnapshots({.from = gone, .to = root}).status(), absl::StatusCode::kNotFound,
              "SNAPSHOT_EVICTED");
}

}  // namespace
}  // namespace stepwell::testing
