#include "stepwell/array/append.h"

#include <numeric>
#include <optional>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Rows of two, counting from `first`.
Array CountingRows(int64_t rows, int32_t first = 0) {
  std::vector<int32_t> elements(static_cast<size_t>(rows * 2));
  std::iota(elements.begin(), elements.end(), first);
  return Array::From<int32_t>({rows, 2}, elements).value();
}

Array Append(const Array& array, const Array& rows) { return AppendRows(array, rows).value(); }

TEST(Append, PutsRowsBehindTheOutermostAxis) {
  const Array longer = Append(CountingRows(2), CountingRows(1, 4));
  EXPECT_EQ(longer, CountingRows(3));
  EXPECT_EQ(Append(Array::Zeros(DType::kInt32, Shape::Of({0, 2})), CountingRows(1)), CountingRows(1));
  EXPECT_EQ(Append(longer, Array::Zeros(DType::kInt32, Shape::Of({0, 2}))), longer);
}

TEST(Append, ArraysThatGrowShareTheirPrefixAndStayAsTheyAre) {
  const Array first = Append(CountingRows(8), CountingRows(1, 16));
  const Array second = Append(first, CountingRows(1, 18));
  const Array third = Append(second, CountingRows(2, 20));
  EXPECT_EQ(second.bytes().data(), first.bytes().data());
  EXPECT_EQ(third.bytes().data(), first.bytes().data());
  EXPECT_EQ(first, CountingRows(9));
  EXPECT_EQ(second, CountingRows(10));
  EXPECT_EQ(third, CountingRows(12));
}

TEST(Append, SecondAppendToTheSameArrayLeavesTheFirstAsItIs) {
  const Array base = Append(CountingRows(8), CountingRows(1, 16));
  const Array one = Append(base, CountingRows(1, 18));
  const Array other = Append(base, CountingRows(1, -2));
  EXPECT_EQ(one.bytes().data(), base.bytes().data());
  EXPECT_NE(other.bytes().data(), base.bytes().data());
  EXPECT_EQ(one, CountingRows(10));
  EXPECT_THAT(other.As<int32_t>().value().subspan(16), ElementsAre(16, 17, -2, -1));
  EXPECT_EQ(Append(other, CountingRows(1)).bytes().data(), other.bytes().data())
      << "the copy has room of its own";
}

TEST(Append, AppendsInARowCopyEachByteAFewTimesAlone) {
  Array array = CountingRows(0);
  int moves = 0;
  for (int32_t row = 0; row < 5000; ++row) {
    const Array longer = Append(array, CountingRows(1, 2 * row));
    if (longer.bytes().data() != array.bytes().data()) ++moves;
    array = longer;
  }
  EXPECT_EQ(array, CountingRows(5000));
  EXPECT_LE(moves, 14) << "each move doubles the room";
}

TEST(Append, SharesNoRoomWithAPartThatEndsEarlier) {
  const Array base = Append(CountingRows(8), CountingRows(2, 16));
  const Array part = Array::Unchecked(DType::kInt32, Shape::Of({4, 2}), base.data().Part(0, 32));
  const Array longer = Append(part, CountingRows(1, -2));
  EXPECT_NE(longer.bytes().data(), base.bytes().data());
  EXPECT_EQ(base, CountingRows(10));
}

TEST(Append, LivesAsLongAsAnyArrayInTheRoom) {
  std::optional<Array> base = Append(CountingRows(8), CountingRows(1, 16));
  const Array longer = Append(*base, CountingRows(1, 18));
  base.reset();
  EXPECT_EQ(longer, CountingRows(10));
}

TEST(Append, RowsThatDoNotFitAreInvalidArgumentThatNamesBoth) {
  const Array array = CountingRows(3);
  const Array wide = Array::Zeros(DType::kInt32, Shape::Of({1, 3}));
  for (const Array& rows : {wide, Array::Zeros(DType::kFloat32, Shape::Of({1, 2})),
                            Array::Zeros(DType::kInt32, Shape::Of({2})), Array::Scalar<int32_t>(1)}) {
    EXPECT_EQ(AppendRows(array, rows).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_THAT(AppendRows(array, wide).status().message(),
              HasSubstr("int32 (1, 3) is appended to int32 (3, 2)"));
  const Array scalar = Array::Scalar<int32_t>(1);
  EXPECT_EQ(AppendRows(scalar, scalar).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Append, MoreRowsThanAShapeCanHaveIsInvalidArgument) {
  const Array many = Array::Zeros(DType::kInt32, Shape::Make({int64_t{1} << 59, 0}).value());
  EXPECT_EQ(Append(many, Array::Zeros(DType::kInt32, Shape::Of({1, 0}))).shape()[0], (int64_t{1} << 59) + 1);
  EXPECT_EQ(AppendRows(many, many).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Append, ConcatenatesAChain) {
  const Array parts[] = {CountingRows(2), CountingRows(1, 4), CountingRows(0), CountingRows(3, 6)};
  const Array whole = ConcatenateRows(parts).value();
  EXPECT_EQ(whole, CountingRows(6));
  EXPECT_EQ(Append(whole, CountingRows(1, 12)).bytes().data(), whole.bytes().data())
      << "it can be appended to at once";
  EXPECT_EQ(ConcatenateRows({parts, 1}).value(), parts[0]);
  const Array wrong[] = {CountingRows(2), Array::Scalar<int32_t>(1)};
  EXPECT_EQ(ConcatenateRows(wrong).status().code(), absl::StatusCode::kInvalidArgument);
}

// Forks race for the room behind what they share: one gets it, and each has its own rows.
TEST(Append, RacingForksEachHaveTheirOwnRows) {
  constexpr int kThreads = 4, kRounds = 200;
  Array base = Append(CountingRows(64), CountingRows(1, 128));
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Array> forks(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        Array fork = base;
        for (int i = 0; i < 3; ++i) fork = Append(fork, CountingRows(1, 100 * t));
        forks[static_cast<size_t>(t)] = fork;
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (int t = 0; t < kThreads; ++t) {
      const absl::Span<const int32_t> elements = forks[static_cast<size_t>(t)].As<int32_t>().value();
      const auto shared = static_cast<size_t>(base.element_count());
      EXPECT_EQ(elements.first(shared), base.As<int32_t>().value());
      EXPECT_THAT(elements.subspan(shared),
                  ElementsAre(100 * t, 100 * t + 1, 100 * t, 100 * t + 1, 100 * t, 100 * t + 1));
    }
    base = forks[static_cast<size_t>(round % kThreads)];
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace stepwell
