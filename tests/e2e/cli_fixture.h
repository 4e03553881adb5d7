#ifndef STEPWELL_TESTS_E2E_CLI_FIXTURE_H_
#define STEPWELL_TESTS_E2E_CLI_FIXTURE_H_

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli_process.h"
#include "tests/e2e/server_process.h"

namespace stepwell::testing {

// The real command against a real server, which all tests of a suite share.
class CliTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::filesystem::path(::testing::TempDir()) / absl::StrCat("cli_", getpid());
    std::filesystem::create_directories(folder_ / "models");
    const std::filesystem::path data = STEPWELL_SOURCE_DIR "/tests/data";
    for (const char* model : {"equinox/counter", "equinox/conv_batchnorm", "equinox/gru_cell",
                              "equinox/batchnorm_ema", "models/mixed"}) {
      std::filesystem::copy(data / model, folder_ / "models" / std::filesystem::path(model).filename());
    }
    std::filesystem::create_directories(folder_ / "models/broken");
    std::filesystem::copy(data / "equinox/counter/step.onnx", folder_ / "models/broken/step.onnx");
    std::ofstream(folder_ / "models/broken/model.textproto")
        << "state { index: \"count\" dtype: FLOAT32 }\nstate { index: \"count\" dtype: INT32 }\nmethod { "
           "name: \"step\" }";
    server_ = new ServerProcess(folder_ / "models", {"--allow-upload"});
    setenv("STEPWELL_SERVER", server_->address().c_str(), 1);
  }
  static void TearDownTestSuite() {
    delete server_;
    std::filesystem::remove_all(folder_);
  }

  static Finished Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), STEPWELL);
    return RunProgram(arguments, input);
  }

  // Of a command that must succeed.
  static std::string Text(const std::vector<std::string>& arguments, const std::string& input = "") {
    const Finished finished = Run(arguments, input);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_EQ(finished.err, "");
    return finished.out;
  }
  static nlohmann::json Json(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.push_back("--json");
    return nlohmann::json::parse(Text(arguments, input));
  }

  // A command that must fail so, for people and for programs.
  static void ExpectError(std::vector<std::string> arguments, int exit_code, const std::string& what,
                          const std::string& reason = "", const std::string& input = "") {
    const Finished finished = Run(arguments, input);
    EXPECT_EQ(finished.exit_code, exit_code) << finished.err;
    EXPECT_EQ(finished.out, "");
    EXPECT_THAT(finished.err, ::testing::HasSubstr(what));
    EXPECT_TRUE(absl::StartsWith(finished.err, "stepwell: ")) << finished.err;
    arguments.push_back("--json");
    const Finished in_json = Run(arguments, input);
    EXPECT_EQ(in_json.exit_code, exit_code);
    EXPECT_EQ(in_json.out, "");
    const nlohmann::json error = nlohmann::json::parse(in_json.err).at("error");
    EXPECT_EQ(error.at("reason"), reason) << error;
    EXPECT_TRUE(error.at("code").is_string() && error.at("message").is_string() &&
                error.at("metadata").is_object());
  }

  static std::string Make(const std::string& model, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"make", model});
    return Json(more).at("version").dump();
  }
  static std::filesystem::path File(const std::string& name) { return folder_ / name; }
  static std::string Read(const std::filesystem::path& file) {
    std::ostringstream content;
    content << std::ifstream(file, std::ios::binary).rdbuf();
    return content.str();
  }

  static inline std::filesystem::path folder_;
  static inline ServerProcess* server_ = nullptr;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_E2E_CLI_FIXTURE_H_
