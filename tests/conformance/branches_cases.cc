#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAreArray;

std::vector<std::string> NamesOf(const absl::StatusOr<std::vector<BranchRecord>>& branches) {
  std::vector<std::string> names;
  for (const BranchRecord& branch : branches.value()) names.push_back(branch.name);
  return names;
}

TEST_P(Conformance, BranchIsWhatItWasCreatedAs) {
  const Version root = Make();
  const auto created = api().CreateBranch({.name = "live", .state = root, .labels = {{"why", "test"}}});
  ASSERT_TRUE(created.ok()) << created.status();
  const auto branch = api().GetBranch("live");
  ASSERT_TRUE(branch.ok()) << branch.status();
  EXPECT_EQ(branch->name, "live");
  EXPECT_EQ(branch->model, "counter");
  EXPECT_EQ(branch->head, root);
  EXPECT_EQ(branch->create_time, created->create_time);
  EXPECT_EQ(branch->expire_time, absl::InfiniteFuture());
  EXPECT_THAT(branch->labels, ElementsAre(Pair("why", "test")));
}

TEST_P(Conformance, ForksGoTheirOwnWays) {
  const Version root = Make("left");
  ASSERT_TRUE(api().CreateBranch({.name = "right", .state = BranchName{"left"}}).ok());
  ASSERT_TRUE(Add(BranchName{"left"}, 1).ok());
  ASSERT_TRUE(Add(BranchName{"right"}, 10).ok());
  EXPECT_EQ(Count(BranchName{"left"}).value(), 1);
  EXPECT_EQ(Count(BranchName{"right"}).value(), 10);
  EXPECT_EQ(Count(root).value(), 0);
}

TEST_P(Conformance, BranchesAreListedByPrefixPageByPage) {
  const Version root = Make();
  for (const char* name : {"b", "a/2", "a/1", "a/10", "c"}) {
    ASSERT_TRUE(api().CreateBranch({.name = name, .state = root}).ok());
  }
  for (const size_t limit : {1u, 2u, 3u, 100u}) {
    EXPECT_THAT(NamesOf(api().ListBranches({.limit = limit})), ElementsAre("a/1", "a/10", "a/2", "b", "c"));
    EXPECT_THAT(NamesOf(api().ListBranches({.prefix = "a/", .limit = limit})),
                ElementsAre("a/1", "a/10", "a/2"));
  }
  EXPECT_THAT(NamesOf(api().ListBranches({.prefix = "z"})), IsEmpty());
}

TEST_P(Conformance, HeadMovesOnlyFromWhereItIsExpected) {
  const Version root = Make("live");
  const Version one = Add(root, 1).value();
  const auto moved = api().UpdateBranch({.name = "live", .head = one, .expected_head = root});
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->head, one);
  EXPECT_GE(moved->update_time, moved->create_time);
  const absl::Status late =
      api().UpdateBranch({.name = "live", .head = root, .expected_head = root}).status();
  ExpectError(late, absl::StatusCode::kAborted, "HEAD_MOVED");
  EXPECT_EQ(api().Metadata(late, "current_head"), absl::StrCat(one.value()));
  EXPECT_EQ(api().GetBranch("live")->head, one);
}

TEST_P(Conformance, UpdateOfABranchChangesWhatItNamesAlone) {
  const Version root = Make("live");
  const absl::Time later = absl::Now() + absl::Hours(1);
  ASSERT_TRUE(api().UpdateBranch({.name = "live", .labels = Labels{{"a", "1"}}}).ok());
  ASSERT_TRUE(api().UpdateBranch({.name = "live", .expire_time = later}).ok());
  auto branch = api().GetBranch("live");
  ASSERT_TRUE(branch.ok()) << branch.status();
  EXPECT_EQ(branch->head, root);
  EXPECT_THAT(branch->labels, ElementsAre(Pair("a", "1")));
  EXPECT_EQ(branch->expire_time, absl::FromUnixNanos(absl::ToUnixNanos(later)));
  ASSERT_TRUE(
      api().UpdateBranch({.name = "live", .labels = Labels{}, .expire_time = absl::InfiniteFuture()}).ok());
  branch = api().GetBranch("live");
  EXPECT_THAT(branch->labels, IsEmpty());
  EXPECT_EQ(branch->expire_time, absl::InfiniteFuture());
}

TEST_P(Conformance, HeadOfAnotherModelIsRefused) {
  Make("live");
  const auto other = api().MakeState({.model = "batchnorm_batch"});
  ASSERT_TRUE(other.ok()) << other.status();
  ExpectError(api().UpdateBranch({.name = "live", .head = other->snapshot.version}).status(),
              absl::StatusCode::kFailedPrecondition, "OTHER_MODEL");
}

TEST_P(Conformance, BranchesThatAreNotThereAreNotFound) {
  const Version root = Make("live");
  ExpectError(api().GetBranch("nowhere").status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError(api().UpdateBranch({.name = "nowhere", .head = root}).status(), absl::StatusCode::kNotFound,
              "BRANCH_NOT_FOUND");
  ExpectError(api().DeleteBranch({.name = "nowhere"}), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError(api().UpdateBranch({.name = "live", .head = BranchName{"nowhere"}}).status(),
              absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError(api().UpdateBranch({.name = "live", .head = Version(1 << 30)}).status(),
              absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
  ExpectError(api().CreateBranch({.name = "other", .state = Version(1 << 30)}).status(),
              absl::StatusCode::kNotFound, "SNAPSHOT_UNKNOWN");
  ExpectError(Add(BranchName{"nowhere"}, 1).status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
}

TEST_P(Conformance, NamesAreTakenOnceAndMustBeNames) {
  const Version root = Make("live");
  ExpectError(api().CreateBranch({.name = "live", .state = root}).status(), absl::StatusCode::kAlreadyExists,
              "BRANCH_EXISTS");
  ExpectError(api().MakeState({.model = "counter", .branch = "live"}).status(),
              absl::StatusCode::kAlreadyExists, "BRANCH_EXISTS");
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string("a b"), std::string(129, 'a')}) {
    ExpectError(api().CreateBranch({.name = name, .state = root}).status(),
                absl::StatusCode::kInvalidArgument);
  }
}

TEST_P(Conformance, DeletedBranchIsGoneAndItsStatesStay) {
  const Version root = Make("live");
  const Version one = Add(BranchName{"live"}, 1).value();
  ExpectError(api().DeleteBranch({.name = "live", .expected_head = root}), absl::StatusCode::kAborted,
              "HEAD_MOVED");
  ASSERT_TRUE(api().DeleteBranch({.name = "live", .expected_head = one}).ok());
  ExpectError(api().GetBranch("live").status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  EXPECT_EQ(Count(one).value(), 1);
  EXPECT_TRUE(api().CreateBranch({.name = "live", .state = root}).ok());
}

TEST_P(Conformance, ExpiredBranchIsNowhereAndItsNameFree) {
  const Version root = Make();
  ASSERT_TRUE(
      api()
          .CreateBranch({.name = "brief", .state = root, .expire_time = absl::Now() - absl::Seconds(1)})
          .ok());
  ExpectError(api().GetBranch("brief").status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError(Add(BranchName{"brief"}, 1).status(), absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND");
  ExpectError(api().UpdateBranch({.name = "brief", .head = root}).status(), absl::StatusCode::kNotFound,
              "BRANCH_NOT_FOUND");
  EXPECT_THAT(NamesOf(api().ListBranches({})), IsEmpty());
  EXPECT_TRUE(api().CreateBranch({.name = "brief", .state = root}).ok());
  EXPECT_EQ(api().GetBranch("brief")->head, root);
}

TEST_P(Conformance, EveryAcknowledgedStepOfManyMoversIsInTheHistoryOnce) {
  Make("busy");
  constexpr int kMovers = 16, kSteps = 10;
  std::vector<std::vector<Version>> acknowledged(kMovers);
  std::vector<std::thread> movers;
  for (int i = 0; i < kMovers; ++i) {
    movers.emplace_back([this, i, &mine = acknowledged[static_cast<size_t>(i)]] {
      while (mine.size() < kSteps) {
        if (i % 2 == 0) {  // Queues.
          const auto version = Add(BranchName{"busy"}, 1);
          ASSERT_TRUE(version.ok()) << version.status();
          mine.push_back(*version);
          continue;
        }
        const Version head = api().GetBranch("busy")->head;  // Compares and sets.
        const auto stepped = api().Step({.state = BranchName{"busy"},
                                         .inputs = {{"x", Array::Scalar<int32_t>(1)}},
                                         .expected_head = head});
        if (stepped.ok()) {
          mine.push_back(stepped->version);
        } else {
          ExpectError(stepped.status(), absl::StatusCode::kAborted, "HEAD_MOVED");
        }
      }
    });
  }
  for (std::thread& mover : movers) mover.join();
  std::vector<Version> all;
  for (const auto& mine : acknowledged) all.insert(all.end(), mine.begin(), mine.end());
  std::vector<Version> history = VersionsOf(api().ListSnapshots({.of = StateRef(BranchName{"busy"})}));
  history.pop_back();  // The root.
  EXPECT_THAT(history, UnorderedElementsAreArray(all));
  EXPECT_EQ(Count(BranchName{"busy"}).value(), kMovers * kSteps);
}

}  // namespace
}  // namespace stepwell::testing
