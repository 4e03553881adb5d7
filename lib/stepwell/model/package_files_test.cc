#include "stepwell/model/package_files.h"

#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "stepwell/model/testing/expect_error.h"

namespace stepwell {
namespace {

using testing::ExpectError;

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

TEST(PackageFiles, OrdinaryPathsPass) {
  EXPECT_TRUE(CheckPackageFiles({{"model.textproto", 10},
                                 {"step.onnx", 1000},
                                 {"weights/0.bin", 0},
                                 {"weights/more/0.bin", 5},
                                 {"weights.bin", 5},
                                 {"poids-été (1)~.bin", 5},
                                 {"-rf", 1}},
                                kNoLimit)
                  .ok());
}

TEST(PackageFiles, PathsThatCouldReachElsewhereAreRefused) {
  const std::string inside = "expected a path inside the package";
  const std::string plain = "expected a path without backslashes and control characters";
  const struct {
    std::string path;
    std::string what;
  } cases[] = {
      {"", "the path has 0 bytes; expected 1 to 1024"},
      {"/etc/passwd", inside},
      {"..", inside},
      {".", inside},
      {"../x", inside},
      {"a/../../x", inside},
      {"a/./x", inside},
      {"a//x", inside},
      {"a/", inside},
      {".upload-x", inside},
      {"a/.hidden", inside},
      {"...", inside},
      {"..\\x", plain},
      {"C:\\x", plain},
      {std::string("a\0b", 3), plain},
      {"a\nb", plain},
      {"a\x7F", plain},
      {std::string(256, 'a'), "a name has 256 bytes; expected at most 255"},
      {"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", "the path has 17 parts; expected at most 16"},
      {std::string(1025, 'a'), "the path has 1025 bytes; expected 1 to 1024"},
  };
  for (const auto& [path, what] : cases) {
    ExpectError(CheckPackageFiles({{"model.textproto", 1}, {path, 1}}, kNoLimit),
                absl::StatusCode::kInvalidArgument, "", what);
  }
  ExpectError(CheckPackageFiles({{"a\nb", 1}}, kNoLimit), absl::StatusCode::kInvalidArgument, "",
              "file \"a\\nb\": ");
}

TEST(PackageFiles, LongestPathsPass) {
  const std::string name(255, 'a');
  EXPECT_TRUE(CheckPackageFiles({{name + "/" + name + "/" + name + "/" + name, 1},  // 1023 bytes.
                                 {"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", 1}},
                                kNoLimit)
                  .ok());
}

TEST(PackageFiles, EachPathHasOneFile) {
  ExpectError(CheckPackageFiles({{"a", 1}, {"b", 1}, {"a", 1}}, kNoLimit), absl::StatusCode::kInvalidArgument,
              "", "file \"a\": expected each file once");
  for (const std::vector<PackageFile>& files :
       {std::vector<PackageFile>{{"a/b", 1}, {"a/b/c/d", 1}}, {{"a/b/c/d", 1}, {"a/b", 1}}}) {
    ExpectError(CheckPackageFiles(files, kNoLimit), absl::StatusCode::kInvalidArgument, "",
                "file \"a/b\": it is also the folder of \"a/b/c/d\"; expected one of both");
  }
}

TEST(PackageFiles, NumberOfFilesIsBounded) {
  ExpectError(CheckPackageFiles({}, kNoLimit), absl::StatusCode::kInvalidArgument, "",
              "the package has 0 files; expected 1 to 4096");
  std::vector<PackageFile> files;
  for (int i = 0; i < 4096; ++i) files.push_back({absl::StrCat(i), 0});
  EXPECT_TRUE(CheckPackageFiles(files, 0).ok());
  files.push_back({"last", 0});
  ExpectError(CheckPackageFiles(files, kNoLimit), absl::StatusCode::kInvalidArgument, "",
              "the package has 4097 files; expected 1 to 4096");
}

TEST(PackageFiles, BytesAreBounded) {
  EXPECT_TRUE(CheckPackageFiles({{"a", 40}, {"b", 60}}, 100).ok());
  for (const int64_t second : {int64_t{61}, kNoLimit}) {
    ExpectError(CheckPackageFiles({{"a", 40}, {"b", second}}, 100), absl::StatusCode::kResourceExhausted,
                "UPLOAD_TOO_LARGE", "more than 100 bytes, which is what max_upload_bytes allows");
  }
  ExpectError(CheckPackageFiles({{"a", -1}}, 100), absl::StatusCode::kInvalidArgument, "",
              "file \"a\": byte_count is -1; expected 0 or more");
}

}  // namespace
}  // namespace stepwell
