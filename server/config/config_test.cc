#include "server/config/config.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ConfigTest, ShippedFileIsTheDefaults) {
  const absl::StatusOr<Config> shipped =
      ReadConfigFile(STEPWELL_SOURCE_DIR "/server/config/stepwelld.textproto");
  ASSERT_TRUE(shipped.ok()) << shipped.status();
  const Config defaults;
  EXPECT_EQ(shipped->listen, defaults.listen);
  EXPECT_EQ(shipped->log_level, defaults.log_level);
  EXPECT_EQ(shipped->max_message_bytes, defaults.max_message_bytes);
  EXPECT_EQ(shipped->grace_period, defaults.grace_period);
  EXPECT_EQ(shipped->repository.root, defaults.repository.root);
  EXPECT_EQ(shipped->repository.threads_per_session, defaults.repository.threads_per_session);
  EXPECT_EQ(shipped->engine.worker_threads, defaults.engine.worker_threads);
  EXPECT_EQ(shipped->engine.max_queued_calls, defaults.engine.max_queued_calls);
  EXPECT_EQ(shipped->engine.max_queued_per_branch, defaults.engine.max_queued_per_branch);
  EXPECT_EQ(shipped->engine.max_cached_snapshots, defaults.engine.max_cached_snapshots);
}

TEST(ConfigTest, UnknownFieldIsNamedWithItsLine) {
  const absl::Status status = ParseConfig("models: \"m\"\nthreds: 3\n", "x.textproto").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("x.textproto:2:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("threds"));
}

TEST(ConfigTest, ValueOutOfRangeIsNamed) {
  const absl::Status status = ParseConfig("worker_threads: 0", "x").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "x: worker_threads is 0; expected 1 to 1024");
}

TEST(ConfigTest, FlagsWinOverTheFile) {
  const char* const argv[] = {
      "stepwelld",   "--config",    STEPWELL_SOURCE_DIR "/server/config/stepwelld.textproto",
      "--listen",    "127.0.0.1:0", "--listen",
      "unix:/tmp/x", "--log-level", "debug"};
  const absl::StatusOr<std::optional<Config>> config = ParseCommandLine(9, argv);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT((*config)->listen, ElementsAre("127.0.0.1:0", "unix:/tmp/x"));
  EXPECT_EQ((*config)->log_level, spdlog::level::debug);
  EXPECT_EQ((*config)->repository.root, "models");
}

TEST(ConfigTest, UnknownFlagIsInvalidArgument) {
  const char* const argv[] = {"stepwelld", "--nonsense"};
  const absl::Status status = ParseCommandLine(2, argv).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--nonsense"));
}

TEST(ConfigTest, MissingFileIsNotFound) {
  EXPECT_EQ(ReadConfigFile("/nonexistent/x").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace stepwell::server
