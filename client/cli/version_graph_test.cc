#include "client/cli/version_graph.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::cli {
namespace {

struct Node {
  int64_t version;
  std::optional<int64_t> parent;
};

std::string Draw(const std::vector<Node>& nodes) {
  VersionGraph graph;
  std::string text = "\n";
  for (const Node& node : nodes) {
    for (const std::string& line : graph.Add(node.version, node.parent, absl::StrCat(node.version))) {
      absl::StrAppend(&text, line, "\n");
    }
  }
  return text;
}

TEST(VersionGraph, ChainIsALine) {
  EXPECT_EQ(Draw({{3, 2}, {2, 1}, {1, std::nullopt}}), R"(
* 3
* 2
* 1
)");
}

TEST(VersionGraph, ForksMeetAtTheirParent) {
  EXPECT_EQ(Draw({{5, 2}, {4, 3}, {3, 1}, {2, 1}, {1, std::nullopt}}), R"(
* 5
| * 4
| * 3
* | 2
|/
* 1
)");
}

TEST(VersionGraph, LanesRunPastEachOther) {
  EXPECT_EQ(Draw({{6, 1}, {5, 2}, {4, 1}, {3, 2}, {2, 1}, {1, std::nullopt}}), R"(
* 6
| * 5
| | * 4
| | | * 3
| |_|/
| * | 2
|_|/
|/
* 1
)");
}

TEST(VersionGraph, LineToAVersionThatIsGoneEnds) {
  EXPECT_EQ(Draw({{7, 5}, {6, 4}, {4, 3}, {2, 1}, {1, std::nullopt}}), R"(
* 7
| * 6
 /
* 4
* 2
* 1
)");
}

TEST(VersionGraph, TreesStandBesideEachOther) {
  EXPECT_EQ(Draw({{4, 2}, {3, 1}, {2, std::nullopt}, {1, std::nullopt}}), R"(
* 4
| * 3
* | 2
 /
* 1
)");
}

}  // namespace
}  // namespace stepwell::cli
