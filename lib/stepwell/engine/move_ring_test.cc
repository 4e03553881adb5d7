#include "stepwell/engine/move_ring.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

// A move that tells which one it is.
BranchMove Numbered(int64_t number) {
  return {.branch = absl::StrCat("a branch whose name is on the heap, ", number), .head = Version(number)};
}

TEST(MoveRingTest, KeepsTheLastMovesUnderTheirPositions) {
  MoveRing ring(1000, 3);
  EXPECT_TRUE(ring.Read(1000).moves.empty());
  for (int64_t i = 1000; i < 1005; ++i) ring.Append(Numbered(i));
  EXPECT_EQ(ring.begin(), 1002);
  EXPECT_EQ(ring.end(), 1005);
  MoveRing::Part part = ring.Read(1004);
  EXPECT_EQ(part.begin, 1004);
  ASSERT_EQ(part.moves.size(), 1u);
  EXPECT_EQ(part.moves[0].head, Version(1004));
  part = ring.Read(0);
  EXPECT_EQ(part.begin, 1002);
  EXPECT_EQ(part.moves.size(), 3u);
  EXPECT_TRUE(ring.Read(1005).moves.empty());
}

TEST(MoveRingTest, PartsFollowEachOtherOverTheBordersOfChunks) {
  constexpr auto kMoves = static_cast<int64_t>(3 * MoveRing::kChunkMoves + 7);
  MoveRing ring(1, kMoves);
  for (int64_t i = 1; i <= kMoves; ++i) ring.Append(Numbered(i));
  int64_t next = 1;
  while (next < ring.end()) {
    const MoveRing::Part part = ring.Read(next);
    ASSERT_EQ(part.begin, next);
    ASSERT_FALSE(part.moves.empty());
    for (const BranchMove& move : part.moves) ASSERT_EQ(move.head, Version(next++));
  }
  EXPECT_EQ(next, kMoves + 1);
}

TEST(MoveRingTest, WhatIsReadStaysThoughItIsDroppedMeanwhile) {
  MoveRing ring(1, 1);
  ring.Append(Numbered(1));
  const MoveRing::Part part = ring.Read(1);
  for (int64_t i = 2; i < 5 * static_cast<int64_t>(MoveRing::kChunkMoves); ++i) ring.Append(Numbered(i));
  ASSERT_EQ(part.moves.size(), 1u);
  EXPECT_EQ(part.moves[0].branch, Numbered(1).branch);
}

TEST(MoveRingTest, ReadersSeeWholeMovesInOrderWhileOthersAreAdded) {
  constexpr int64_t kMoves = 20'000;
  MoveRing ring(1, 300);
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&ring] {
      for (int64_t next = 1; next <= kMoves;) {
        const MoveRing::Part part = ring.Read(next);
        ASSERT_GE(part.begin, next);
        next = part.begin;
        for (const BranchMove& move : part.moves) {
          ASSERT_EQ(move.head, Version(next));
          ASSERT_EQ(move.branch, Numbered(next).branch);
          ++next;
        }
      }
    });
  }
  for (int64_t i = 1; i <= kMoves; ++i) ring.Append(Numbered(i));
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace stepwell
