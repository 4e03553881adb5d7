// `stepwell upload` against the real server.
#include "tests/e2e/cli_fixture.h"

namespace stepwell::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::StartsWith;

class CliUploadTest : public CliTest {
 protected:
  // A counter's package in a folder of this name.
  static fs::path Package(const std::string& name, const std::string& description) {
    const fs::path folder = File("packages") / name;
    fs::create_directories(folder);
    fs::copy_file(STEPWELL_SOURCE_DIR "/tests/data/equinox/counter/step.onnx", folder / "step.onnx",
                  fs::copy_options::overwrite_existing);
    std::ofstream(folder / "model.textproto")
        << "description: \"" << description
        << "\" state { index: \"count\" dtype: INT32 } method { name: \"step\" }";
    return folder;
  }
};

TEST_F(CliUploadTest, FolderBecomesAModelThatSteps) {
  const std::string text = Text({"upload", Package("tally", "one").string() + "/"});
  EXPECT_THAT(text, StartsWith("model     tally\n"));
  EXPECT_THAT(text, HasSubstr("state     READY\nrevision  1\n"));
  EXPECT_EQ(Json({"step", Make("tally"), "--input", "x=5"}).at("outputs").size(), 1u);
  EXPECT_EQ(Json({"upload", Package("tally", "one").string()}).at("revision"), 1);
  const std::vector<std::string> changed = {"upload", Package("tally", "two").string()};
  ExpectError(changed, 1, "--replace makes it the next revision of tally", "MODEL_EXISTS");
  EXPECT_EQ(Json({"upload", "--replace", changed[1]}).at("revision"), 2);
  EXPECT_EQ(Json({"upload", changed[1], "--name", "tally-2"}).at("name"), "tally-2");
}

TEST_F(CliUploadTest, WrongPackageTellsAllThatIsWrong) {
  const fs::path package = Package("wrong", "one");
  std::ofstream(package / "model.textproto", std::ios::app)
      << "\nmethod { name: \"gone\" }\nmethod { name: \"1\" }";
  ExpectError({"upload", package.string()}, 1, "has 2 faults", "MODEL_INVALID");
  ExpectError({"upload", package.string()}, 1, "or upload it again", "MODEL_INVALID");
}

TEST_F(CliUploadTest, WhatIsNotThereIsBadInput) {
  ExpectError({"upload", File("nowhere").string()}, 2, "is not there; expected a folder, or a .onnx file");
}

}  // namespace
}  // namespace stepwell::testing
