#include "stepwell/array/slice.h"

#include <limits>
#include <numeric>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Array Range(std::initializer_list<int64_t> dims) {
  std::vector<int32_t> elements(static_cast<size_t>(Shape::Of(dims).element_count()));
  std::iota(elements.begin(), elements.end(), 0);
  return Array::From<int32_t>(dims, elements).value();
}

std::vector<int32_t> Elements(const absl::StatusOr<Array>& array) {
  const auto elements = array->As<int32_t>().value();
  return {elements.begin(), elements.end()};
}

TEST(TakeSlice, TakesWhatPythonTakes) {
  const Array a = Range({10});
  EXPECT_THAT(Elements(TakeSlice(a, {{2, 5, {}}})), ElementsAre(2, 3, 4));
  EXPECT_THAT(Elements(TakeSlice(a, {{-3, {}, {}}})), ElementsAre(7, 8, 9));
  EXPECT_THAT(Elements(TakeSlice(a, {{{}, {}, 4}})), ElementsAre(0, 4, 8));
  EXPECT_THAT(Elements(TakeSlice(a, {{{}, {}, -3}})), ElementsAre(9, 6, 3, 0));
  EXPECT_THAT(Elements(TakeSlice(a, {{8, 2, -2}})), ElementsAre(8, 6, 4));
  EXPECT_THAT(Elements(TakeSlice(a, {{10, 7, -1}})), ElementsAre(9, 8));
  EXPECT_THAT(Elements(TakeSlice(a, {{5, 2, {}}})), IsEmpty());
  EXPECT_THAT(Elements(TakeSlice(a, {{0, 10, {}}})).size(), 10);
}

TEST(TakeSlice, ReachesEveryAxis) {
  const Array a = Range({3, 4});
  const auto rows = TakeSlice(a, {{1, {}, {}}});
  EXPECT_EQ(rows->shape(), Shape::Of({2, 4}));
  EXPECT_THAT(Elements(rows), ElementsAre(4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT(Elements(TakeSlice(a, {{}, {1, 3, {}}})), ElementsAre(1, 2, 5, 6, 9, 10));
  EXPECT_THAT(Elements(TakeSlice(a, {{{}, {}, -2}, {{}, {}, -3}})), ElementsAre(11, 8, 3, 0));
  EXPECT_THAT(Elements(TakeSlice(Range({2, 3, 4}), {{1, {}, {}}, {{}, {}, 2}, {3, {}, {}}})),
              ElementsAre(15, 23));
}

TEST(TakeSlice, SharesTheBytesOfAContiguousPart) {
  const Array a = Range({3, 4});
  EXPECT_EQ(TakeSlice(a, {})->bytes().data(), a.bytes().data());
  EXPECT_EQ(TakeSlice(a, {{1, 3, {}}})->bytes().data(), a.bytes().data() + 16);
  const auto part_of_a_row = TakeSlice(a, {{2, {}, {}}, {1, 3, {}}});
  EXPECT_EQ(part_of_a_row->bytes().data(), a.bytes().data() + 36);
  EXPECT_THAT(Elements(part_of_a_row), ElementsAre(9, 10));
}

// Against a slow reference, over every slice of small bounds: the numbers that numpy's a[s] gives.
TEST(TakeSlice, AgreesWithElementByElementSelection) {
  const Array a = Range({4, 3, 2});
  std::vector<Slice> all;
  for (const int step : {-3, -1, 1, 2}) {
    for (int start = -2; start <= 2; ++start) {
      for (int stop = -2; stop <= 2; ++stop) all.push_back({start, stop, step});
    }
    all.push_back({{}, {}, step});
  }
  const auto positions = [](const Slice& s, int64_t n) {
    std::vector<int64_t> taken;
    const int64_t step = *s.step;
    const auto bound = [n](int64_t b) { return b < 0 ? b + n : b; };
    const int64_t start = s.start ? bound(*s.start) : (step > 0 ? 0 : n - 1);
    const int64_t stop = s.stop ? bound(*s.stop) : (step > 0 ? n : -1);
    for (int64_t i = step < 0 ? std::min(start, n - 1) : start; step > 0 ? i < stop : i > stop; i += step) {
      taken.push_back(i);
    }
    return taken;
  };
  for (const Slice& s0 : all) {
    for (const Slice& s2 : all) {
      std::vector<int32_t> expected;
      for (const int64_t i : positions(s0, 4)) {
        for (int64_t j = 0; j < 3; ++j) {
          for (const int64_t k : positions(s2, 2))
            expected.push_back(static_cast<int32_t>(i * 6 + j * 2 + k));
        }
      }
      ASSERT_EQ(Elements(TakeSlice(a, {s0, Slice(), s2})), expected);
    }
  }
}

TEST(TakeSlice, BoundPastTheEndIsOutOfRangeThatNamesAxisAndExtent) {
  for (const Slice& slice : std::vector<Slice>{{11, {}, {}}, {0, 11, {}}, {-11, {}, {}}, {{}, -11, {}}}) {
    const absl::Status status = TakeSlice(Range({10}), {slice}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_THAT(status.message(), HasSubstr("axis 0 of extent 10"));
  }
}

TEST(TakeSlice, StepZeroAndTooManySlicesAreInvalidArgument) {
  EXPECT_EQ(TakeSlice(Range({3}), {{{}, {}, 0}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(TakeSlice(Range({3}), {{}, {}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(TakeSlice(Array::Scalar<int32_t>(1), {{}}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(TakeSlice, ExtremeStepsDoNotOverflow) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(Elements(TakeSlice(Range({3}), {{{}, {}, kMin}})), ElementsAre(2));
  EXPECT_THAT(Elements(TakeSlice(Range({3}), {{{}, {}, kMax}})), ElementsAre(0));
}

}  // namespace
}  // namespace stepwell
