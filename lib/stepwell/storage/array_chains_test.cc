#include "stepwell/storage/array_chains.h"

#include "gtest/gtest.h"

namespace stepwell {
namespace {

TEST(ArrayChains, RemembersWhoBeganAChainAndWhoCameBeforeTheLast) {
  ArrayChains chains;
  EXPECT_TRUE(chains.empty());
  EXPECT_EQ(chains.Find(3), nullptr);
  chains.Append(3, Version(10));
  chains.Append(3, Version(11));
  chains.Append(3, Version(15));
  chains.Append(5, Version(12));
  ASSERT_NE(chains.Find(3), nullptr);
  EXPECT_EQ(chains.Find(3)->first, Version(10));
  EXPECT_EQ(chains.Find(3)->previous, Version(15));
  EXPECT_EQ(chains.Find(5)->first, Version(12));
  EXPECT_EQ(chains.Find(5)->previous, Version(12));
}

TEST(ArrayChains, ArrayThatIsWrittenWholeHasNone) {
  ArrayChains chains;
  chains.Append(3, Version(10));
  chains.Append(5, Version(10));
  chains.Erase(3);
  chains.Erase(4);
  EXPECT_EQ(chains.Find(3), nullptr);
  EXPECT_NE(chains.Find(5), nullptr);
  chains.Erase(5);
  EXPECT_TRUE(chains.empty());
  chains.Append(3, Version(20));
  EXPECT_EQ(chains.Find(3)->first, Version(20));
}

TEST(ArrayChains, CopiesGoTheirOwnWays) {
  ArrayChains parent;
  parent.Append(0, Version(1));
  ArrayChains child = parent;
  child.Append(0, Version(2));
  EXPECT_EQ(parent.Find(0)->previous, Version(1));
  EXPECT_EQ(child.Find(0)->previous, Version(2));
  parent = child;
  child.Erase(0);
  EXPECT_EQ(parent.Find(0)->previous, Version(2));
}

TEST(ArrayChains, CostAPointerWhereNothingGrows) { EXPECT_EQ(sizeof(ArrayChains), sizeof(void*)); }

}  // namespace
}  // namespace stepwell
