#include "server/config/config.h"

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What `arguments` ask for; one of them must not be --help or --version.
absl::StatusOr<Config> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "stepwelld");
  absl::StatusOr<std::optional<Config>> config =
      ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
  if (!config.ok()) return config.status();
  return **std::move(config);
}

constexpr char kShipped[] = STEPWELL_SOURCE_DIR "/server/config/stepwelld.textproto";

TEST(ConfigTest, ShippedFileIsTheDefaults) {
  const absl::StatusOr<Config> shipped = Parse({"--config", kShipped});
  ASSERT_TRUE(shipped.ok()) << shipped.status();
  const Config defaults;
  EXPECT_EQ(shipped->listen, defaults.listen);
  EXPECT_EQ(shipped->data_dir, defaults.data_dir);
  EXPECT_EQ(shipped->in_memory, defaults.in_memory);
  EXPECT_EQ(shipped->backup_dir, defaults.backup_dir);
  EXPECT_EQ(shipped->engine.default_durability, defaults.engine.default_durability);
  EXPECT_EQ(shipped->log_level, defaults.log_level);
  EXPECT_EQ(shipped->max_message_bytes, defaults.max_message_bytes);
  EXPECT_EQ(shipped->grace_period, defaults.grace_period);
  EXPECT_EQ(shipped->repository.root, defaults.repository.root);
  EXPECT_EQ(shipped->repository.threads_per_session, defaults.repository.threads_per_session);
  EXPECT_EQ(shipped->uploads.allowed, defaults.uploads.allowed);
  EXPECT_EQ(shipped->uploads.max_bytes, defaults.uploads.max_bytes);
  EXPECT_EQ(shipped->store.max_bytes, defaults.store.max_bytes);
  EXPECT_EQ(shipped->engine.worker_threads, defaults.engine.worker_threads);
  EXPECT_EQ(shipped->engine.max_queued_calls, defaults.engine.max_queued_calls);
  EXPECT_EQ(shipped->engine.max_queued_per_branch, defaults.engine.max_queued_per_branch);
  EXPECT_EQ(shipped->engine.max_cached_snapshots, defaults.engine.max_cached_snapshots);
  EXPECT_EQ(shipped->engine.max_branch_moves, defaults.engine.max_branch_moves);
  EXPECT_EQ(shipped->engine.max_watches, defaults.engine.max_watches);
  EXPECT_EQ(shipped->engine.max_cached_bytes, defaults.engine.max_cached_bytes);
  EXPECT_EQ(shipped->engine.retention.policy, defaults.engine.retention.policy);
  EXPECT_EQ(shipped->engine.retention.min_age, defaults.engine.retention.min_age);
  EXPECT_EQ(shipped->engine.retention.pause, defaults.engine.retention.pause);
  EXPECT_EQ(shipped->engine.retention.max_drops_per_second, defaults.engine.retention.max_drops_per_second);
  EXPECT_EQ(shipped->store.max_requests, defaults.store.max_requests);
  EXPECT_EQ(shipped->store.max_request_age, defaults.store.max_request_age);
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
  const absl::StatusOr<Config> config =
      Parse({"--config", kShipped, "--listen", "127.0.0.1:0", "--listen", "unix:/tmp/x", "--log-level",
             "debug", "--max-state-bytes", "1000", "--grace-period-seconds", "0.5"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->listen, ElementsAre("127.0.0.1:0", "unix:/tmp/x"));
  EXPECT_EQ(config->log_level, spdlog::level::debug);
  EXPECT_EQ(config->store.max_bytes, 1000);
  EXPECT_EQ(config->grace_period, absl::Milliseconds(500));
  EXPECT_EQ(config->repository.root, "models");
}

TEST(ConfigTest, EveryFieldHasAFlag) {
  const absl::StatusOr<Config> config = Parse({"--models",
                                               "m",
                                               "--max-message-bytes",
                                               "2048",
                                               "--worker-threads",
                                               "3",
                                               "--threads-per-session",
                                               "4",
                                               "--max-queued-calls",
                                               "5",
                                               "--max-queued-per-branch",
                                               "6",
                                               "--max-cached-snapshots",
                                               "7",
                                               "--max-cached-bytes",
                                               "8",
                                               "--allow-upload",
                                               "--max-upload-bytes",
                                               "9",
                                               "--data-dir",
                                               "d",
                                               "--durability",
                                               "SYNC"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->repository.root, "m");
  EXPECT_EQ(config->max_message_bytes, 2048);
  EXPECT_EQ(config->engine.worker_threads, 3);
  EXPECT_EQ(config->repository.threads_per_session, 4);
  EXPECT_EQ(config->engine.max_queued_calls, 5u);
  EXPECT_EQ(config->engine.max_queued_per_branch, 6u);
  EXPECT_EQ(config->engine.max_cached_snapshots, 7u);
  EXPECT_EQ(config->engine.max_cached_bytes, 8);
  EXPECT_TRUE(config->uploads.allowed);
  EXPECT_EQ(config->uploads.max_bytes, 9);
  EXPECT_EQ(config->data_dir, "d");
  EXPECT_EQ(config->engine.default_durability, Durability::kSync);
}

TEST(ConfigTest, StatesAreOnDiskUnlessTheyAreToBeInMemory) {
  EXPECT_FALSE(Parse({})->in_memory);
  EXPECT_EQ(Parse({})->data_dir, "stepwell-data");
  EXPECT_TRUE(Parse({"--in-memory"})->in_memory);
  EXPECT_TRUE(ParseConfig("in_memory: true", "x")->in_memory);
}

TEST(ConfigTest, FlagOfEitherStoreWinsOverTheFile) {
  const absl::StatusOr<Config> in_memory = Parse({"--config", kShipped, "--in-memory"});
  ASSERT_TRUE(in_memory.ok()) << in_memory.status();
  EXPECT_TRUE(in_memory->in_memory);
  const std::string file = ::testing::TempDir() + "/in_memory.textproto";
  std::ofstream(file) << "in_memory: true";
  const absl::StatusOr<Config> on_disk = Parse({"--config", file.c_str(), "--data-dir", "d"});
  ASSERT_TRUE(on_disk.ok()) << on_disk.status();
  EXPECT_FALSE(on_disk->in_memory);
  EXPECT_EQ(on_disk->data_dir, "d");
}

TEST(ConfigTest, StoreThatIsNotOneIsRefused) {
  const absl::Status both = Parse({"--in-memory", "--data-dir", "d"}).status();
  EXPECT_EQ(both.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(both.message(), "data_dir is \"d\"; expected none with in_memory");
  const absl::Status none = ParseConfig("data_dir: \"\"", "x").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(none.message(), "x: data_dir is \"\"; expected a folder, or in_memory instead of it");
}

TEST(ConfigTest, SyncInMemoryIsRefused) {
  const absl::Status status = Parse({"--durability", "SYNC", "--in-memory"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("durability is \"SYNC\"; expected \"ASYNC\""));
  EXPECT_TRUE(Parse({"--durability", "SYNC"}).ok());
}

TEST(ConfigTest, DurabilityThatIsNoneIsNamed) {
  const absl::Status status = ParseConfig("durability: \"sync\" data_dir: \"d\"", "x").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "x: durability is \"sync\"; expected ASYNC or SYNC");
}

TEST(ConfigTest, RetentionHasTheRulesThatAreGiven) {
  const absl::StatusOr<Config> config =
      Parse({"--retention-keep-last", "5", "--retention-keep-every", "0", "--retention-max-age-seconds",
             "1.5", "--retention-min-age-seconds", "0", "--retention-pause-seconds", "0.25",
             "--max-drops-per-second", "6"});
  ASSERT_TRUE(config.ok()) << config.status();
  const RetentionOptions& retention = config->engine.retention;
  EXPECT_EQ(retention.policy, (RetentionPolicy{.keep_last = 5, .max_age = absl::Milliseconds(1500)}));
  EXPECT_EQ(retention.min_age, absl::ZeroDuration());
  EXPECT_EQ(retention.pause, absl::Milliseconds(250));
  EXPECT_EQ(retention.max_drops_per_second, 6);
  EXPECT_EQ(Parse({"--retention-keep-every", "7"})->engine.retention.policy,
            RetentionPolicy{.keep_every = 7});
}

TEST(ConfigTest, FlagOutOfRangeIsNamed) {
  const absl::Status status = Parse({"--worker-threads", "4294967297"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "worker_threads is 4294967297; expected 1 to 1024");
}

TEST(ConfigTest, VerifyTakesADataDirectory) {
  const auto config = Parse({"--verify", "--data-dir", "/data", "--json"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->verify && config->verify_as_json);
  EXPECT_EQ(config->data_dir, "/data");
  EXPECT_EQ(Parse({"--verify"})->data_dir, Config().data_dir);
  EXPECT_THAT(std::string(Parse({"--verify", "--in-memory"}).status().message()), HasSubstr("--in-memory"));
  EXPECT_THAT(std::string(Parse({"--json"}).status().message()), HasSubstr("--verify"));
}

TEST(ConfigTest, UnknownFlagIsInvalidArgument) {
  const absl::Status status = Parse({"--nonsense"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--nonsense"));
}

TEST(ConfigTest, FileThatIsNotThereIsNotFound) {
  EXPECT_EQ(Parse({"--config", "/nonexistent/x"}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace stepwell::server
