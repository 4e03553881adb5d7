#include "server/config/config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <limits>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/config/server_config.pb.h"

namespace stepwell::server {
namespace {

using google::protobuf::TextFormat;

// Keeps the first error of the text parser.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  // Lines and columns count from 0 here.
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (message_.empty()) message_ = absl::StrCat(line + 1, ":", column + 1, ": ", message);
  }
  const std::string& message() const { return message_; }

 private:
  std::string message_;
};

constexpr char kDurabilities[] = "ASYNC or SYNC";

absl::StatusOr<Durability> ParseDurability(const std::string& name) {
  if (name == "ASYNC") return Durability::kAsync;
  if (name == "SYNC") return Durability::kSync;
  return absl::InvalidArgumentError(absl::StrCat("durability is \"", name, "\"; expected ", kDurabilities));
}

constexpr char kLogLevels[] = "trace, debug, info, warning or error";

absl::StatusOr<spdlog::level::level_enum> ParseLogLevel(const std::string& name) {
  for (const auto level : {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                           spdlog::level::warn, spdlog::level::err}) {
    const spdlog::string_view_t level_name = spdlog::level::to_string_view(level);
    if (name == std::string(level_name.data(), level_name.size())) return level;
  }
  return absl::InvalidArgumentError(absl::StrCat("log_level is \"", name, "\"; expected ", kLogLevels));
}

// Sets `to` when the field is given and within [low, high].
template <typename From, typename To>
absl::Status Take(const char* field, bool given, From value, From low, From high, To& to) {
  if (!given) return absl::OkStatus();
  if (!(value >= low && value <= high)) {
    return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, "; expected ", low, " to ", high));
  }
  to = static_cast<To>(value);
  return absl::OkStatus();
}

absl::StatusOr<Config> FromMessage(const ServerConfig& message) {
  constexpr int64_t kMaxCount = int64_t{1} << 40;
  Config config;
  if (!message.listen().empty()) config.listen = {message.listen().begin(), message.listen().end()};
  if (message.has_models()) config.repository.root = message.models();
  if (message.has_log_level()) {
    const absl::StatusOr<spdlog::level::level_enum> level = ParseLogLevel(message.log_level());
    if (!level.ok()) return level.status();
    config.log_level = *level;
  }
  config.uploads.allowed = message.allow_upload();
  if (message.in_memory() && message.has_data_dir()) {
    return absl::InvalidArgumentError(
        absl::StrCat("data_dir is \"", message.data_dir(), "\"; expected none with in_memory"));
  }
  if (message.has_data_dir() && message.data_dir().empty()) {
    return absl::InvalidArgumentError("data_dir is \"\"; expected a folder, or in_memory instead of it");
  }
  if (message.in_memory() && !message.backup_dir().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("backup_dir is \"", message.backup_dir(),
                     "\"; expected none with in_memory: states in memory alone cannot be backed up"));
  }
  config.in_memory = message.in_memory();
  if (message.has_data_dir()) config.data_dir = message.data_dir();
  config.backup_dir = message.backup_dir();
  if (message.has_durability()) {
    const absl::StatusOr<Durability> durability = ParseDurability(message.durability());
    if (!durability.ok()) return durability.status();
    if (*durability == Durability::kSync && config.in_memory) {
      return absl::InvalidArgumentError(
          "durability is \"SYNC\"; expected \"ASYNC\" with in_memory: states in memory survive nothing");
    }
    config.engine.default_durability = *durability;
  }
  double request_seconds = absl::ToDoubleSeconds(config.store.max_request_age);
  double grace_seconds = absl::ToDoubleSeconds(config.grace_period);
  EngineOptions& engine = config.engine;
  RetentionOptions& retention = engine.retention;
  int64_t keep_last = 0;
  int64_t keep_every = 0;
  double max_age_seconds = 0;
  double min_age_seconds = absl::ToDoubleSeconds(retention.min_age);
  double pause_seconds = absl::ToDoubleSeconds(retention.pause);
  for (const absl::Status& status : {
           Take<int64_t>("max_message_bytes", message.has_max_message_bytes(), message.max_message_bytes(),
                         1024, std::numeric_limits<int32_t>::max(), config.max_message_bytes),
           Take<int64_t>("max_upload_bytes", message.has_max_upload_bytes(), message.max_upload_bytes(), 1,
                         std::numeric_limits<int64_t>::max(), config.uploads.max_bytes),
           Take<int64_t>("worker_threads", message.has_worker_threads(), message.worker_threads(), 1, 1024,
                         engine.worker_threads),
           Take<int64_t>("threads_per_session", message.has_threads_per_session(),
                         message.threads_per_session(), 1, 1024, config.repository.threads_per_session),
           Take<int64_t>("max_queued_calls", message.has_max_queued_calls(), message.max_queued_calls(), 0,
                         kMaxCount, engine.max_queued_calls),
           Take<int64_t>("max_queued_per_branch", message.has_max_queued_per_branch(),
                         message.max_queued_per_branch(), 0, kMaxCount, engine.max_queued_per_branch),
           Take<int64_t>("max_state_bytes", message.has_max_state_bytes(), message.max_state_bytes(), 0,
                         std::numeric_limits<int64_t>::max(), config.store.max_bytes),
           Take<int64_t>("max_cached_snapshots", message.has_max_cached_snapshots(),
                         message.max_cached_snapshots(), 1, kMaxCount, engine.max_cached_snapshots),
           Take<int64_t>("max_branch_moves", message.has_max_branch_moves(), message.max_branch_moves(), 1,
                         kMaxCount, engine.max_branch_moves),
           Take<int64_t>("max_watches", message.has_max_watches(), message.max_watches(), 0, kMaxCount,
                         engine.max_watches),
           Take<int64_t>("max_cached_bytes", message.has_max_cached_bytes(), message.max_cached_bytes(), 0,
                         std::numeric_limits<int64_t>::max(), engine.max_cached_bytes),
           Take<int64_t>("max_requests", message.has_max_requests(), message.max_requests(), 0, kMaxCount,
                         config.store.max_requests),
           Take<double>("max_request_age_seconds", message.has_max_request_age_seconds(),
                        message.max_request_age_seconds(), 0, 1e9, request_seconds),
           Take<int64_t>("retention_keep_last", message.has_retention_keep_last(),
                         message.retention_keep_last(), 0, kMaxCount, keep_last),
           Take<int64_t>("retention_keep_every", message.has_retention_keep_every(),
                         message.retention_keep_every(), 0, kMaxCount, keep_every),
           Take<double>("retention_max_age_seconds", message.has_retention_max_age_seconds(),
                        message.retention_max_age_seconds(), 0, 1e10, max_age_seconds),
           Take<double>("retention_min_age_seconds", message.has_retention_min_age_seconds(),
                        message.retention_min_age_seconds(), 0, 1e10, min_age_seconds),
           Take<double>("retention_pause_seconds", message.has_retention_pause_seconds(),
                        message.retention_pause_seconds(), 0.001, 86400, pause_seconds),
           Take<int64_t>("max_drops_per_second", message.has_max_drops_per_second(),
                         message.max_drops_per_second(), 1, kMaxCount, retention.max_drops_per_second),
           Take<double>("grace_period_seconds", message.has_grace_period_seconds(),
                        message.grace_period_seconds(), 0, 86400, grace_seconds),
       }) {
    if (!status.ok()) return status;
  }
  config.store.max_request_age = absl::Seconds(request_seconds);
  config.grace_period = absl::Seconds(grace_seconds);
  if (keep_last > 0) retention.policy.keep_last = keep_last;
  if (keep_every > 0) retention.policy.keep_every = keep_every;
  if (max_age_seconds > 0) retention.policy.max_age = absl::Seconds(max_age_seconds);
  retention.min_age = absl::Seconds(min_age_seconds);
  retention.pause = absl::Seconds(pause_seconds);
  return config;
}

// The message that `text` says. Errors begin with `file` and the line.
absl::StatusOr<ServerConfig> ParseMessage(absl::string_view text, absl::string_view file) {
  FirstError error;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  ServerConfig message;
  if (parser.ParseFromString(std::string(text), &message)) return message;
  return absl::InvalidArgumentError(absl::StrCat(file, ":", error.message()));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file && text << file.rdbuf()) return text.str();
  return absl::NotFoundError(absl::StrCat("configuration file \"", path, "\" cannot be read, or is empty"));
}

// One flag for each field, named as the field is.
void AddFlags(CLI::App& app, ServerConfig& flags) {
  const auto integer = [&app](const char* flag, auto set, const char* help) {
    app.add_option_function<int64_t>(flag, set, help)->type_name("N");
  };
  const auto seconds = [&app](const char* flag, auto set, const char* help) {
    app.add_option_function<double>(flag, set, help)->type_name("SECONDS");
  };
  app.add_option_function<std::vector<std::string>>(
         "--listen",
         [&flags](const std::vector<std::string>& addresses) {
           flags.mutable_listen()->Assign(addresses.begin(), addresses.end());
         },
         "HOST:PORT (port 0: any free one) or unix:PATH; may be repeated. Default 127.0.0.1:7350")
      ->type_name("ADDRESS");
  app.add_option_function<std::string>(
         "--models", [&flags](const std::string& folder) { flags.set_models(folder); },
         "The model repository, a folder of packages. Default: models")
      ->type_name("DIR");
  app.add_flag_function(
      "--allow-upload", [&flags](int64_t) { flags.set_allow_upload(true); },
      "Let clients add packages to the repository and replace those that are there; their graphs run in this "
      "process. Default: off");
  integer(
      "--max-upload-bytes", [&flags](int64_t value) { flags.set_max_upload_bytes(value); },
      "The largest package that is taken so. Default 4 GiB");
  app.add_option_function<std::string>(
         "--data-dir", [&flags](const std::string& folder) { flags.set_data_dir(folder); },
         "Where states are kept on disk, a folder of this server's own; made where there is none. Default: "
         "stepwell-data")
      ->type_name("DIR");
  app.add_flag_callback(
      "--in-memory", [&flags] { flags.set_in_memory(true); },
      "Keep states in memory alone, instead of a data directory: they are lost when the server stops");
  app.add_option_function<std::string>(
         "--backup-dir", [&flags](const std::string& folder) { flags.set_backup_dir(folder); },
         "Where `stepwell backup` makes copies of the data directory, on the same file system unless they "
         "may take its time and room. Default: nowhere")
      ->type_name("DIR");
  app.add_option_function<std::string>(
         "--durability", [&flags](const std::string& durability) { flags.set_durability(durability); },
         "When what names no durability is answered: ASYNC, once others see it, or SYNC, once it is on disk. "
         "Default ASYNC")
      ->type_name("DURABILITY");
  app.add_option_function<std::string>(
         "--log-level", [&flags](const std::string& level) { flags.set_log_level(level); },
         absl::StrCat(kLogLevels, ". Default info"))
      ->type_name("LEVEL");
  integer(
      "--max-message-bytes", [&flags](int64_t value) { flags.set_max_message_bytes(value); },
      "The largest request, and the most bytes of arrays in one reply. Default 64 MiB");
  integer(
      "--max-state-bytes", [&flags](int64_t value) { flags.set_max_state_bytes(value); },
      "What one WriteArrays, or one snapshot of an import, may bring; with --in-memory, also what all "
      "snapshots "
      "may take together. Default 4 GiB");
  integer(
      "--worker-threads", [&flags](int64_t value) { flags.set_worker_threads(value); },
      "Threads that run models. Default 2");
  integer(
      "--threads-per-session", [&flags](int64_t value) { flags.set_threads_per_session(value); },
      "ONNX Runtime's threads inside one run. Default 1");
  integer(
      "--max-queued-calls", [&flags](int64_t value) { flags.set_max_queued_calls(value); },
      "Calls that may wait for a worker. Default 4096");
  integer(
      "--max-queued-per-branch", [&flags](int64_t value) { flags.set_max_queued_per_branch(value); },
      "Calls that may wait for their turn on one branch. Default 1024");
  integer(
      "--max-cached-snapshots", [&flags](int64_t value) { flags.set_max_cached_snapshots(value); },
      "Snapshots kept whole in front of the store. Default 4096");
  integer(
      "--max-branch-moves", [&flags](int64_t value) { flags.set_max_branch_moves(value); },
      "Moves of branches, the last of all, that are remembered for watches. Default 65536");
  integer(
      "--max-watches", [&flags](int64_t value) { flags.set_max_watches(value); },
      "Watches that may be open at a time. Default 1024");
  integer(
      "--max-cached-bytes", [&flags](int64_t value) { flags.set_max_cached_bytes(value); },
      "What the arrays of these snapshots may take together. Default 1 GiB");
  integer(
      "--max-requests", [&flags](int64_t value) { flags.set_max_requests(value); },
      "Requests with a request_id of which is remembered what came of them. Default 65536");
  seconds(
      "--max-request-age-seconds", [&flags](double value) { flags.set_max_request_age_seconds(value); },
      "How long that is remembered. Default 600");
  integer(
      "--retention-keep-last", [&flags](int64_t value) { flags.set_retention_keep_last(value); },
      "Keep the last so many of a branch, where its model does not say what is kept. Default: all");
  integer(
      "--retention-keep-every", [&flags](int64_t value) { flags.set_retention_keep_every(value); },
      "Keep those whose number of steps is a multiple of this. Default: all");
  seconds(
      "--retention-max-age-seconds", [&flags](double value) { flags.set_retention_max_age_seconds(value); },
      "Keep those that were made less long ago. Default: all");
  seconds(
      "--retention-min-age-seconds", [&flags](double value) { flags.set_retention_min_age_seconds(value); },
      "Keep those that were made less long ago, whatever a model or a branch says. Default 60");
  seconds(
      "--retention-pause-seconds", [&flags](double value) { flags.set_retention_pause_seconds(value); },
      "From one search for what is to be dropped to the next. Default 10");
  integer(
      "--max-drops-per-second", [&flags](int64_t value) { flags.set_max_drops_per_second(value); },
      "Snapshots that retention drops in a second at most. Default 10000");
  seconds(
      "--grace-period-seconds", [&flags](double value) { flags.set_grace_period_seconds(value); },
      "What running calls get to finish when the server is told to stop. Default 10");
}

// `config`, or the check of its store that was asked for instead.
absl::StatusOr<std::optional<Config>> WithVerify(absl::StatusOr<Config> config, bool verify, bool as_json) {
  if (!config.ok()) return config.status();
  if (verify && config->in_memory) {
    return absl::InvalidArgumentError("--verify checks a data directory; expected it without --in-memory");
  }
  if (as_json && !verify) return absl::InvalidArgumentError("--json is how --verify prints; expected both");
  config->verify = verify;
  config->verify_as_json = as_json;
  return *std::move(config);
}

}  // namespace

absl::StatusOr<Config> ParseConfig(absl::string_view text, absl::string_view file) {
  const absl::StatusOr<ServerConfig> message = ParseMessage(text, file);
  if (!message.ok()) return message.status();
  absl::StatusOr<Config> config = FromMessage(*message);
  if (config.ok()) return config;
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", config.status().message()));
}

absl::StatusOr<std::optional<Config>> ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app(
      "Serves the models of a repository, and the states that they step, over gRPC.\n"
      "Prints \"listening on ADDRESS\" to stdout for each address once it serves; logs to stderr.\n"
      "SIGTERM and SIGINT stop it: new calls are refused, running ones finish.",
      "stepwelld");
  std::string file;
  app.add_option(
         "--config", file,
         "Configuration, a text proto; stepwelld.textproto, which comes with this program, shows every "
         "field. Flags win over it")
      ->type_name("FILE");
  ServerConfig flags;
  AddFlags(app, flags);
  std::string health_address;
  app.add_option(
         "--health", health_address,
         "Serve nothing; ask the server there for its health. Exit code 0: it serves; 1: why not is printed")
      ->type_name("ADDRESS");
  bool verify = false;
  bool as_json = false;
  app.add_flag(
      "--verify", verify,
      "Serve nothing; check every checksum and every reference of the store in --data-dir, which no "
      "server may have open, and change nothing. Prints what was checked and each problem. Exit code "
      "0: it is whole; 1: it has problems; 2: it could not be opened");
  app.add_flag("--json", as_json, "With --verify: print one JSON object");
  app.set_version_flag("--version", STEPWELL_VERSION);
  app.footer(
      "Example:\n"
      "  stepwelld --models examples/models --listen 127.0.0.1:7350 --listen unix:/run/stepwell.sock\n"
      "  stepwelld --models examples/models --data-dir /var/lib/stepwell\n"
      "  stepwelld --verify --data-dir /var/lib/stepwell");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      return absl::InvalidArgumentError(absl::StrCat(error.what(), "; stepwelld --help lists the flags"));
    }
    app.exit(error);
    return std::nullopt;
  }
  if (!health_address.empty()) return Config{.health_address = std::move(health_address)};
  if (file.empty()) return WithVerify(FromMessage(flags), verify, as_json);

  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  // The file by itself must be right, whatever the flags make of it.
  if (const absl::Status checked = ParseConfig(*text, file).status(); !checked.ok()) return checked;
  absl::StatusOr<ServerConfig> message = ParseMessage(*text, file);
  if (!message.ok()) return message.status();
  if (!flags.listen().empty()) message->clear_listen();
  if (flags.has_data_dir()) message->clear_in_memory();
  if (flags.has_in_memory()) message->clear_data_dir();
  message->MergeFrom(flags);
  return WithVerify(FromMessage(*message), verify, as_json);
}

}  // namespace stepwell::server
