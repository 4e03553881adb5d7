#include <algorithm>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/conformance/api.h"

namespace stepwell::testing {
namespace {

using ::testing::ElementsAre;

std::string TextOf(std::optional<Version> version) {
  return version.has_value() ? absl::StrCat(version->value()) : "-";
}

// "BRANCH: PREVIOUS > HEAD", with - for what is absent.
std::string TextOf(const std::string& branch, std::optional<Version> previous, std::optional<Version> head) {
  return absl::StrCat(branch, ": ", TextOf(previous), " > ", TextOf(head));
}

std::unique_ptr<Api::Watch> Open(Api& api, const WatchBranchesRequest& request) {
  auto watch = api.WatchBranches(request);
  EXPECT_TRUE(watch.ok()) << watch.status();
  return *std::move(watch);
}

// The next event, which must be a move.
BranchNews::Move NextMove(Api::Watch& watch) {
  const absl::StatusOr<Api::Event> event = watch.Next();
  EXPECT_TRUE(event.ok() && std::holds_alternative<BranchNews::Move>(*event)) << event.status();
  return std::get<BranchNews::Move>(event.value());
}

std::vector<std::string> NextMoves(Api::Watch& watch, size_t count) {
  std::vector<std::string> moves;
  while (moves.size() < count) {
    const BranchMove move = NextMove(watch).move;
    moves.push_back(TextOf(move.branch, move.previous, move.head));
  }
  return moves;
}

void MoveTo(Api& api, const std::string& branch, Version head) {
  const absl::Status moved = api.UpdateBranch({.name = branch, .head = head}).status();
  EXPECT_TRUE(moved.ok()) << moved;
}

TEST_P(Conformance, WatchTellsEveryMoveInOrderAndNothingElse) {
  const auto watch = Open(api(), {.of = BranchName{"live"}});
  const Version root = Make("live");
  Make("other");
  const Version one = Add(BranchName{"live"}, 1).value();
  ASSERT_TRUE(api().UpdateBranch({.name = "live", .labels = Labels{{"a", "1"}}}).ok());
  Add(root, 5).value();  // A fork.
  const auto scanned = api().Scan({.state = BranchName{"live"},
                                   .inputs = {{"x", Array::From<int32_t>({2}, {1, 1}).value()}},
                                   .keep_every = 1});
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  const Version scan_end = scanned->versions.back();
  MoveTo(api(), "live", one);
  EXPECT_FALSE(api().UpdateBranch({.name = "live", .head = root, .expected_head = root}).ok());
  MoveTo(api(), "live", one);
  ASSERT_TRUE(api().DeleteBranch({.name = "live"}).ok());
  ASSERT_TRUE(api().CreateBranch({.name = "live", .state = one}).ok());
  EXPECT_THAT(NextMoves(*watch, 7),
              ElementsAre(TextOf("live", {}, root), TextOf("live", root, one), TextOf("live", one, scan_end),
                          TextOf("live", scan_end, one), TextOf("live", one, one), TextOf("live", one, {}),
                          TextOf("live", {}, one)));
}

TEST_P(Conformance, WatchedMoveIsToldWithItsTimeAndAPositionThatGrows) {
  const auto watch = Open(api(), {});
  const Version root = Make("live");
  Add(BranchName{"live"}, 1).value();
  const BranchNews::Move created = NextMove(*watch);
  const BranchNews::Move moved = NextMove(*watch);
  EXPECT_EQ(created.move.time, api().GetSnapshot(root)->create_time);
  EXPECT_EQ(moved.move.time, api().GetBranch("live")->update_time);
  EXPECT_GT(moved.position, created.position);
}

TEST_P(Conformance, WatchedPrefixSeesBranchesThatAreCreatedLaterAndNoOthers) {
  const Version root = Make("a/old");
  const auto watch = Open(api(), {.of = BranchPrefix{"a/"}});
  for (const char* name : {"a", "b/new", "a/new"}) {
    ASSERT_TRUE(api().CreateBranch({.name = name, .state = root}).ok());
  }
  const Version next = Add(BranchName{"a/old"}, 1).value();
  EXPECT_THAT(NextMoves(*watch, 2), ElementsAre(TextOf("a/new", {}, root), TextOf("a/old", root, next)));
}

TEST_P(Conformance, WatchedExpiryIsADeletion) {
  const Version root = Make();
  const auto watch = Open(api(), {.of = BranchName{"brief"}});
  ASSERT_TRUE(
      api()
          .CreateBranch({.name = "brief", .state = root, .expire_time = absl::Now() - absl::Seconds(1)})
          .ok());
  EXPECT_THAT(NextMoves(*watch, 2), ElementsAre(TextOf("brief", {}, root), TextOf("brief", root, {})));
}

TEST_P(Conformance, WatchGoesOnAfterAVersionOrAPosition) {
  const auto all = Open(api(), {});
  const Version root = Make("live");
  const Version one = Add(BranchName{"live"}, 1).value();
  const Version two = Add(BranchName{"live"}, 1).value();
  Make("other");
  EXPECT_THAT(NextMoves(*Open(api(), {.of = BranchName{"live"}, .after = root}), 2),
              ElementsAre(TextOf("live", root, one), TextOf("live", one, two)));
  const int64_t position = NextMove(*all).position;
  EXPECT_THAT(NextMoves(*Open(api(), {.of = BranchName{"live"}, .after = MovePosition{position}}), 1),
              ElementsAre(TextOf("live", root, one)));
  // After the last move to it, where there were two.
  MoveTo(api(), "live", one);
  const auto watch = Open(api(), {.of = BranchName{"live"}, .after = one});
  MoveTo(api(), "live", root);
  EXPECT_THAT(NextMoves(*watch, 1), ElementsAre(TextOf("live", one, root)));
}

TEST_P(Conformance, WatchGoesOnFromAHeadHoweverManyMovesOthersMade) {
  const Version root = Make("rests");
  const Version other = Make("busy");
  for (int i = 0; i < 2 * kMaxBranchMoves; ++i) MoveTo(api(), "busy", other);
  const auto watch = Open(api(), {.of = BranchName{"rests"}, .after = root});
  const Version next = Add(BranchName{"rests"}, 1).value();
  EXPECT_THAT(NextMoves(*watch, 1), ElementsAre(TextOf("rests", root, next)));
}

TEST_P(Conformance, WatchAfterWhatIsForgottenIsOutOfRange) {
  const auto all = Open(api(), {});
  const Version root = Make("live");
  const int64_t first = NextMove(*all).position;
  const Version next = Add(BranchName{"live"}, 1).value();
  for (int i = 0; i < kMaxBranchMoves; ++i) MoveTo(api(), "live", next);
  for (const WatchBranchesRequest& request :
       {WatchBranchesRequest{.of = BranchName{"live"}, .after = root},
        WatchBranchesRequest{.of = BranchPrefix{""}, .after = root},
        WatchBranchesRequest{.of = BranchName{"nowhere"}, .after = root},
        WatchBranchesRequest{.after = MovePosition{first}}, WatchBranchesRequest{.after = MovePosition{0}},
        WatchBranchesRequest{.after = MovePosition{first + 1000}}}) {
    ExpectError(api().WatchBranches(request).status(), absl::StatusCode::kOutOfRange, "MOVES_FORGOTTEN");
  }
}

TEST_P(Conformance, WatchThatIsReadLateAccountsForEveryMove) {
  const Version root = Make("live");
  const auto watch = Open(api(), {.of = BranchName{"live"}});
  constexpr int kMoves = 10 * kMaxBranchMoves;
  for (int i = 0; i < kMoves; ++i) MoveTo(api(), "live", root);
  int64_t told = 0, missed = 0;
  std::optional<int64_t> position;
  while (told + missed < kMoves) {
    const absl::StatusOr<Api::Event> event = watch->Next();
    ASSERT_TRUE(event.ok()) << event.status();
    if (const auto* move = std::get_if<BranchNews::Move>(&*event)) {
      ++told;
      ASSERT_EQ(move->position, position.value_or(move->position - 1) + 1) << "neither told nor missed";
      position = move->position;
      continue;
    }
    const auto& gap = std::get<BranchNews::Missed>(*event);
    ASSERT_EQ(gap.after_position, position.value_or(gap.after_position));
    missed += gap.until_position - gap.after_position;
    position = gap.until_position;
  }
  EXPECT_GE(told, kMaxBranchMoves) << "what is remembered is told";
  EXPECT_EQ(told + missed, kMoves);
}

TEST_P(Conformance, WatchTellsEveryMoveOfManyMoversOnceAndInOrder) {
  constexpr int kMovers = 4, kSteps = 10;  // Fewer than are remembered.
  const auto watch = Open(api(), {.of = BranchPrefix{"m"}});
  const Version root = Make("m0");
  ASSERT_TRUE(api().CreateBranch({.name = "m1", .state = root}).ok());
  std::vector<std::thread> movers;
  for (int i = 0; i < kMovers; ++i) {
    movers.emplace_back([this, branch = absl::StrCat("m", i % 2)] {
      for (int step = 0; step < kSteps; ++step) ASSERT_TRUE(Add(BranchName{branch}, 1).ok());
    });
  }
  for (std::thread& mover : movers) mover.join();
  std::map<std::string, std::vector<Version>> heads;
  for (int i = 0; i < kMovers * kSteps + 2; ++i) {
    const BranchMove move = NextMove(*watch).move;
    std::vector<Version>& before = heads[move.branch];
    EXPECT_EQ(move.previous, before.empty() ? std::nullopt : std::make_optional(before.back()));
    before.push_back(*move.head);
  }
  for (auto& [branch, told] : heads) {
    std::reverse(told.begin(), told.end());
    EXPECT_EQ(told, VersionsOf(api().ListSnapshots({.of = StateRef(BranchName{branch})}))) << branch;
  }
}

TEST_P(Conformance, WatchedNameMustBeOne) {
  ExpectError(api().WatchBranches({.of = BranchName{"-a"}}).status(), absl::StatusCode::kInvalidArgument);
  ExpectError(api().WatchBranches({.of = BranchName{""}}).status(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace stepwell::testing
