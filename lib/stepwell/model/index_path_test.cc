#include "stepwell/model/index_path.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::HasSubstr;

TEST(IndexPath, TakesEveryFormOfTheGrammar) {
  for (const char* path :
       {"a", "_", "A9", "a.b", "layers[0].norm.running_mean", "cache[0]", "a.b[1][2]", "params['w']",
        "params[\"w x.y[0]\"]", "[0].bias", "['k'][10]", "a[123456789012345678901234567890]"}) {
    EXPECT_TRUE(CheckIndexPath(path).ok()) << CheckIndexPath(path);
  }
}

TEST(IndexPath, RefusalTellsWhatIsExpectedWhere) {
  const struct {
    absl::string_view path;
    int offset;
    const char* expected;
  } cases[] = {
      {"", 0, "a letter or \"_\""},
      {"1a", 0, "a letter or \"_\""},
      {".a", 0, "a letter or \"_\""},
      {"a.", 2, "a letter or \"_\""},
      {"a..b", 2, "a letter or \"_\""},
      {"a.[0]", 2, "a letter or \"_\""},
      {"a b", 1, "\".\", \"[\" or the end"},
      {"a]", 1, "\".\", \"[\" or the end"},
      {"a[0]b", 4, "\".\", \"[\" or the end"},
      {absl::string_view("a\0b", 3), 1, "\".\", \"[\" or the end"},
      {"a[", 2, "a number or a quoted text"},
      {"a[]", 2, "a number or a quoted text"},
      {"a[-1]", 2, "a number or a quoted text"},
      {"a[x]", 2, "a number or a quoted text"},
      {"a[01]", 2, "a number without leading zeros"},
      {"a[00]", 2, "a number without leading zeros"},
      {"a[0", 3, "\"]\""},
      {"a[0x1]", 3, "\"]\""},
      {"a['w'", 5, "\"]\""},
      {"a['w]", 5, "the closing quote"},
      {"a['w\"]", 4, "the closing quote"},
      {"a['w\\']", 4, "the closing quote"},
      {"a['']", 3, "a printable character"},
      {"a['\n']", 3, "a printable character"},
      {"\xC3\xA9", 0, "a letter or \"_\""},
  };
  for (const auto& [path, offset, expected] : cases) {
    SCOPED_TRACE(std::string(path));
    const absl::Status status = CheckIndexPath(path);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("expected ", expected)));
    EXPECT_THAT(std::string(status.message()), ::testing::EndsWith(absl::StrCat("at offset ", offset)));
  }
}

TEST(IndexPath, RefusalIsPrintableWhateverThePath) {
  const absl::Status status = CheckIndexPath(absl::string_view("\xFF\0\n", 3));
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"\\xff\\x00\\n\""));
}

TEST(IndexPath, LengthIsLimited) {
  EXPECT_TRUE(CheckIndexPath(std::string(kMaxIndexLength, 'a')).ok());
  const absl::Status status = CheckIndexPath(std::string(kMaxIndexLength + 1, 'a'));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has 513 bytes; expected at most 512"));
}

TEST(IndexPath, LiesBelowWholePartsAlone) {
  EXPECT_TRUE(IsAtOrBelow("layers[0].norm", "layers[0].norm"));
  EXPECT_TRUE(IsAtOrBelow("layers[0].norm", "layers[0]"));
  EXPECT_TRUE(IsAtOrBelow("layers[0].norm", "layers"));
  EXPECT_TRUE(IsAtOrBelow("layers[0].norm", ""));
  EXPECT_FALSE(IsAtOrBelow("layers[0].norm", "layer"));
  EXPECT_FALSE(IsAtOrBelow("layers[0].norm", "layers[0].no"));
  EXPECT_FALSE(IsAtOrBelow("layers[01]", "layers[0]"));
  EXPECT_FALSE(IsAtOrBelow("layers", "layers[0]"));
}

}  // namespace
}  // namespace stepwell
