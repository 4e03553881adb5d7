#include "stepwell/array/shape.h"

#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Shape, CountsElementsAndBytes) {
  EXPECT_EQ(Shape().element_count(), 1);
  EXPECT_EQ(Shape::Of({8, 4}).element_count(), 32);
  EXPECT_EQ(Shape::Of({8, 4}).ByteCount(DType::kFloat64), 256);
  EXPECT_EQ(Shape::Of({8, 0, 4}).element_count(), 0);
}

TEST(Shape, OfANegativeExtentIsInvalidArgument) {
  const absl::Status status = Shape::Make({3, -1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("(3, -1)"));
}

TEST(Shape, WhoseByteCountOverflowsIsInvalidArgument) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  for (const std::vector<int64_t>& dims : std::vector<std::vector<int64_t>>{
           {kHuge}, {1LL << 32, 1LL << 32}, {1LL << 60, 2}, {0, kHuge, kHuge}}) {
    EXPECT_EQ(Shape::Make(dims).status().code(), absl::StatusCode::kInvalidArgument) << dims[0];
  }
  EXPECT_TRUE(Shape::Make({1LL << 59}).ok());
}

TEST(Shape, OfTooManyAxesIsInvalidArgument) {
  EXPECT_TRUE(Shape::Make(std::vector<int64_t>(Shape::kMaxRank, 1)).ok());
  EXPECT_EQ(Shape::Make(std::vector<int64_t>(Shape::kMaxRank + 1, 1)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Shape, UnravelsElementNumbersInCOrder) {
  const Shape shape = Shape::Of({2, 3, 4});
  EXPECT_THAT(shape.Unravel(0), ElementsAre(0, 0, 0));
  EXPECT_THAT(shape.Unravel(4), ElementsAre(0, 1, 0));
  EXPECT_THAT(shape.Unravel(23), ElementsAre(1, 2, 3));
  EXPECT_THAT(Shape().Unravel(0), ElementsAre());
}

TEST(Shape, PrintsAsATuple) {
  EXPECT_EQ(Shape().ToString(), "()");
  EXPECT_EQ(Shape::Of({8, 4}).ToString(), "(8, 4)");
}

}  // namespace
}  // namespace stepwell
