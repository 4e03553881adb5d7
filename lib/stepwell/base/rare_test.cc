#include "stepwell/base/rare.h"

#include <map>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::IsEmpty;
using Map = std::map<std::string, int>;

TEST(Rare, TakesAPointer) { EXPECT_EQ(sizeof(Rare<Map>), sizeof(void*)); }

TEST(Rare, IsEmptyWhereNothingWasPut) {
  Rare<Map> rare;
  EXPECT_THAT(*rare, IsEmpty());
  rare = Map{};
  EXPECT_EQ(rare->size(), 0u);
}

TEST(Rare, CopiesAreOfTheirOwn) {
  Rare<Map> rare(Map{{"a", 1}});
  const Rare<Map> copy = rare;
  rare = Map{{"b", 2}};
  EXPECT_EQ(*copy, (Map{{"a", 1}}));
  EXPECT_EQ(*rare, (Map{{"b", 2}}));
  const Rare<Map> moved = std::move(rare);
  EXPECT_EQ(*moved, (Map{{"b", 2}}));
}

}  // namespace
}  // namespace stepwell
