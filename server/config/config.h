#ifndef STEPWELL_SERVER_CONFIG_CONFIG_H_
#define STEPWELL_SERVER_CONFIG_CONFIG_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/services/upload_model.h"
#include "spdlog/common.h"
#include "stepwell/engine/engine.h"
#include "stepwell/model/repository.h"
#include "stepwell/storage/memory_store.h"

namespace stepwell::server {

// What stepwelld is told to do: defaults, then the file, then flags. See stepwelld.textproto for each.
struct Config {
  std::vector<std::string> listen = {"127.0.0.1:7350"};
  spdlog::level::level_enum log_level = spdlog::level::info;
  int64_t max_message_bytes = int64_t{64} << 20;
  absl::Duration grace_period = absl::Seconds(10);
  RepositoryOptions repository = {.root = "models"};
  UploadOptions uploads;
  // Where the store on disk is.
  std::string data_dir = "stepwell-data";
  bool in_memory = false;    // Instead of that.
  std::string backup_dir;    // Where backups are made; empty: nowhere.
  MemoryStoreOptions store;  // Its limits of requests are those of a store on disk, too.
  EngineOptions engine;

  // Not empty: ask the server at this address for its health instead of serving. A flag only.
  std::string health_address;

  // Check the store in `data_dir` instead of serving, and print the result as JSON. Flags only.
  bool verify = false;
  bool verify_as_json = false;
};

// The defaults with what `text` says. INVALID_ARGUMENT: `text` is no text proto of the schema, or a value is
// out of its range; the message begins with `file` and the line.
absl::StatusOr<Config> ParseConfig(absl::string_view text, absl::string_view file);

// The config that the command line asks for. Prints the help or the version and returns nothing for --help
// and
// --version. INVALID_ARGUMENT: a flag that is unknown or wrong, or as ParseConfig. NOT_FOUND: the file cannot
// be read.
absl::StatusOr<std::optional<Config>> ParseCommandLine(int argc, const char* const* argv);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_CONFIG_CONFIG_H_
