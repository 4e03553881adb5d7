#include "stepwell/engine/branch_watches.h"

#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StillClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixMicros(1'000'000); }
};

// Watches that keep ten moves, of which three may be open. Moves are told to them as a store would.
class BranchWatchesTest : public ::testing::Test {
 protected:
  void Move(const std::string& branch, int64_t head) {
    watches_.OnMove({.branch = branch, .head = Version(head)});
  }
  absl::StatusOr<std::unique_ptr<BranchWatch>> Open(WatchBranchesRequest request,
                                                    std::optional<Version> head = std::nullopt) {
    return watches_.Open(request, watches_.now(), head);
  }
  std::unique_ptr<BranchWatch> OpenOn(WatchedBranches of) { return Open({.of = std::move(of)}).value(); }

  // The heads that the watch tells of, and "missed N" for what it missed; what it tells first is let by.
  static std::vector<std::string> Told(BranchWatch& watch, size_t max_moves = 100) {
    std::vector<std::string> told;
    while (const std::optional<BranchNews> news = watch.Next(max_moves)) {
      if (news->missed.has_value()) {
        told.push_back(absl::StrCat("missed ", news->missed->until_position - news->missed->after_position));
      }
      for (const BranchNews::Move& move : news->moves) {
        told.push_back(absl::StrCat(move.move.branch, " ", move.move.head->value()));
      }
    }
    return told;
  }
  static void ExpectForgotten(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange) << status;
    EXPECT_EQ(GetErrorInfo(status).reason, "MOVES_FORGOTTEN") << status;
  }

  StillClock clock_;
  MemoryStore store_;
  BranchWatches watches_{&store_, &clock_, 10, 3};
};

TEST_F(BranchWatchesTest, WatchTellsWhereItStartsAndThenEveryMoveOfItsBranches) {
  Move("a", 1);
  const auto name = OpenOn(BranchName{"a"});
  const auto prefix = OpenOn(BranchPrefix{"a"});
  const std::optional<BranchNews> first = name->Next(100);
  ASSERT_TRUE(first.has_value());
  EXPECT_THAT(first->moves, IsEmpty());
  EXPECT_EQ(first->position, 1'000'000) << "the clock's microseconds: that of the move before";
  EXPECT_FALSE(name->Next(100).has_value());
  Move("a", 2);
  Move("b", 3);
  Move("a/b", 4);
  Move("a", 5);
  EXPECT_THAT(Told(*name), ElementsAre("a 2", "a 5"));
  EXPECT_THAT(Told(*prefix), ElementsAre("a 2", "a/b 4", "a 5"));
  EXPECT_THAT(Told(*name), IsEmpty());
}

TEST_F(BranchWatchesTest, SmallPiecesTellTheSame) {
  const auto watch = OpenOn(BranchPrefix{});
  for (int64_t head = 1; head <= 5; ++head) Move("a", head);
  EXPECT_EQ(watch->Next(2)->moves.size(), 2u);
  EXPECT_THAT(Told(*watch, 1), ElementsAre("a 3", "a 4", "a 5"));
}

TEST_F(BranchWatchesTest, WatchThatIsLeftBehindIsToldWhatItMissedAndGoesOn) {
  const auto watch = OpenOn(BranchName{"a"});
  for (int64_t head = 1; head <= 12; ++head) Move("a", head);
  const std::optional<BranchNews> news = watch->Next(100);
  ASSERT_TRUE(news.has_value() && news->missed.has_value());
  EXPECT_EQ(news->missed->after_position, 999'999);
  EXPECT_EQ(news->missed->until_position, 1'000'001);
  ASSERT_EQ(news->moves.size(), 10u);
  EXPECT_EQ(news->moves.front().position, 1'000'002);
  EXPECT_EQ(news->moves.front().move.head, Version(3));
  EXPECT_EQ(news->position, 1'000'011);
  EXPECT_THAT(Told(*watch), IsEmpty());
}

TEST_F(BranchWatchesTest, GoesOnAfterAPositionThatIsKept) {
  for (int64_t head = 1; head <= 12; ++head) Move("a", head);
  const auto after = [&](int64_t position) { return Open({.after = MovePosition{position}}); };
  EXPECT_THAT(Told(**after(1'000'009)), ElementsAre("a 11", "a 12"));
  EXPECT_EQ(Told(**after(1'000'001)).size(), 10u) << "the last that was dropped";
  EXPECT_THAT(Told(**after(1'000'011)), IsEmpty());
  ExpectForgotten(after(1'000'000).status());
  ExpectForgotten(after(1'000'012).status());  // Another server's: it is still to come here.
}

TEST_F(BranchWatchesTest, GoesOnAfterTheLastMoveToAVersion) {
  for (const int64_t head : {1, 2, 1, 3}) Move("a", head);
  Move("b", 1);
  const auto after = [&](WatchedBranches of, int64_t version) {
    return Open({.of = std::move(of), .after = Version(version)});
  };
  EXPECT_THAT(Told(**after(BranchName{"a"}, 2)), ElementsAre("a 1", "a 3"));
  EXPECT_THAT(Told(**after(BranchName{"a"}, 1)), ElementsAre("a 3"));
  EXPECT_THAT(Told(**after(BranchPrefix{""}, 1)), IsEmpty());
  EXPECT_THAT(Told(**after(BranchPrefix{""}, 3)), ElementsAre("b 1"));
  ExpectForgotten(after(BranchName{"b"}, 3).status());
  ExpectForgotten(after(BranchName{"nowhere"}, 3).status());
}

// A branch that rests while others move is not forgotten for that.
TEST_F(BranchWatchesTest, HeadIsGoneOnFromHoweverLongAgoItMoved) {
  Move("a", 1);
  for (int64_t head = 2; head <= 20; ++head) Move("b", head);
  const WatchBranchesRequest request{.of = BranchName{"a"}, .after = Version(1)};
  ExpectForgotten(Open(request, Version(2)).status());
  const auto watch = Open(request, Version(1));
  ASSERT_TRUE(watch.ok()) << watch.status();
  Move("a", 21);
  EXPECT_THAT(Told(**watch), ElementsAre("a 21"));
}

TEST_F(BranchWatchesTest, PositionIsToldNowAndThenWhenOnlyOthersMove) {
  const auto watch = OpenOn(BranchName{"a"});
  int64_t told = watch->Next(100)->position;
  for (int64_t head = 1; head <= 100; ++head) {
    Move("b", head);
    if (const std::optional<BranchNews> news = watch->Next(100)) {
      EXPECT_FALSE(news->missed.has_value());
      told = news->position;
    }
    ASSERT_TRUE(Open({.of = BranchName{"a"}, .after = MovePosition{told}}).ok()) << head;
  }
}

TEST_F(BranchWatchesTest, AtMostSoManyAreOpenAtATime) {
  auto first = OpenOn(BranchName{"a"});
  const auto second = OpenOn(BranchName{"a"});
  const auto third = OpenOn(BranchName{"a"});
  const absl::Status refused = Open({.of = BranchName{"a"}}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(refused).reason, "WATCH_LIMIT");
  first.reset();
  EXPECT_TRUE(Open({.of = BranchName{"a"}}).ok());
}

TEST_F(BranchWatchesTest, WaitCallsBackWhenAMoveComesAndNotWhenOneIsThere) {
  const auto watch = OpenOn(BranchName{"a"});
  watch->Next(100);
  absl::Notification called;
  ASSERT_TRUE(watch->Wait([&called] { called.Notify(); }));
  Move("a", 1);
  called.WaitForNotification();
  EXPECT_FALSE(watch->Wait([] { FAIL() << "Next has not been asked"; }));
  EXPECT_THAT(Told(*watch), ElementsAre("a 1"));
}

TEST_F(BranchWatchesTest, WatchThatIsClosedWhileItWaitsDropsWhatItWaitedWith) {
  auto watch = OpenOn(BranchName{"a"});
  watch->Next(100);
  const auto held = std::make_shared<int>();
  ASSERT_TRUE(watch->Wait([held] {}));
  EXPECT_EQ(held.use_count(), 2);
  watch.reset();
  EXPECT_EQ(held.use_count(), 1);
}

// Every watch hears everything though it sleeps whenever it has read all there is: no wake-up is lost.
TEST(BranchWatchesWakingTest, WatchesThatSleepBetweenMovesMissNone) {
  constexpr int64_t kMoves = 20'000;
  constexpr int kWatches = 3;
  StillClock clock;
  MemoryStore store;
  BranchWatches watches(&store, &clock, kMoves, kWatches);
  std::vector<std::thread> readers;
  for (int i = 0; i < kWatches; ++i) {
    readers.emplace_back([watch = watches.Open({}, watches.now(), std::nullopt).value()] {
      for (int64_t expected = 1; expected <= kMoves;) {
        while (const std::optional<BranchNews> news = watch->Next(100)) {
          for (const BranchNews::Move& move : news->moves) ASSERT_EQ(move.move.head, Version(expected++));
        }
        if (expected > kMoves) break;
        auto called = std::make_shared<absl::Notification>();
        if (watch->Wait([called] { called->Notify(); })) called->WaitForNotification();
      }
    });
  }
  for (int64_t head = 1; head <= kMoves; ++head) {
    watches.OnMove({.branch = "a", .head = Version(head)});
    if (head % 100 == 0) std::this_thread::yield();
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace stepwell
