#include "stepwell/storage/version.h"

#include <optional>
#include <sstream>

#include "gtest/gtest.h"

namespace stepwell {
namespace {

TEST(MaybeVersion, IsAnOptionalInTheSpaceOfAVersion) {
  EXPECT_EQ(sizeof(MaybeVersion), sizeof(Version));
  const MaybeVersion none;
  const MaybeVersion some(Version(7));
  EXPECT_FALSE(none.has_value());
  ASSERT_TRUE(some.has_value());
  EXPECT_EQ(*some, Version(7));
  EXPECT_EQ(none.value_or(Version(3)), Version(3));
  EXPECT_EQ(some.value_or(Version(3)), Version(7));
}

TEST(MaybeVersion, ConvertsToAnOptionalAndBack) {
  for (const std::optional<Version> version : {std::optional<Version>(), std::optional(Version(7))}) {
    const MaybeVersion maybe = version;
    const std::optional<Version> back = maybe;
    EXPECT_EQ(back, version);
    EXPECT_EQ(maybe, version);
  }
  EXPECT_EQ(MaybeVersion(), std::nullopt);
  EXPECT_NE(MaybeVersion(), Version(7));
  EXPECT_NE(MaybeVersion(Version(7)), std::optional<Version>());
}

TEST(MaybeVersion, SaysWhatItIs) {
  std::ostringstream out;
  out << MaybeVersion(Version(7)) << ", " << MaybeVersion();
  EXPECT_EQ(out.str(), "7, none");
}

}  // namespace
}  // namespace stepwell
