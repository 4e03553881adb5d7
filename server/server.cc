#include "server/server.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "spdlog/spdlog.h"
#include "stepwell/storage/memory_store.h"
#include "stepwell/storage/rocksdb_store.h"

namespace stepwell::server {
namespace {

constexpr absl::Duration kHousekeepingPause = absl::Seconds(1);
// In the data directory: copies of the packages that its states need.
constexpr char kArchiveFolder[] = "packages";

std::string MethodNames(const Model& model) {
  return absl::StrJoin(model.methods(), ", ",
                       [](std::string* out, const auto& method) { absl::StrAppend(out, method->name()); });
}

void LogModels(const ModelRepository& models) {
  for (const ModelStatus& status : models.List()) {
    if (!status.error.ok()) {
      spdlog::error("model {} failed to load: {}", status.name, std::string(status.error.message()));
    } else if (status.model != nullptr) {
      spdlog::info("model {} revision {}: {} state arrays, methods {}", status.name, status.model->revision(),
                   status.model->state_spec().size(), MethodNames(*status.model));
    }
  }
}

std::string Counted(int64_t count, absl::string_view one, absl::string_view several) {
  return absl::StrCat(count, " ", count == 1 ? one : several);
}

// What the store of an earlier server has.
std::string Found(const RocksDbStore& store) {
  const auto branches = static_cast<int64_t>(store.branch_count());
  const int64_t snapshots = store.EstimateSnapshotCount();
  if (branches == 0 && snapshots == 0) return "nothing was found";
  return absl::StrCat(Counted(branches, "branch", "branches"), " and about ",
                      Counted(snapshots, "snapshot", "snapshots"), " were found");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Open(const Config& config) {
  if (config.in_memory) {
    return absl::WrapUnique(new Server(config, std::make_unique<MemoryStore>(config.store), nullptr,
                                       absl::StrCat("in memory, up to ", config.store.max_bytes,
                                                    " bytes of them, lost when the server stops")));
  }
  absl::StatusOr<std::unique_ptr<RocksDbStore>> store =
      RocksDbStore::Open({.path = config.data_dir,
                          .max_requests = config.store.max_requests,
                          .max_request_age = config.store.max_request_age});
  if (!store.ok()) return store.status();
  const std::filesystem::path data_dir = std::filesystem::absolute(config.data_dir);
  absl::StatusOr<std::unique_ptr<PackageArchive>> archive = PackageArchive::Open(data_dir / kArchiveFolder);
  if (!archive.ok()) return archive.status();
  std::string kept = absl::StrCat("in ", data_dir.string(), ", where ", Found(**store));
  return absl::WrapUnique(new Server(config, *std::move(store), *std::move(archive), std::move(kept)));
}

Server::Server(const Config& config, std::unique_ptr<Store> store, std::unique_ptr<PackageArchive> archive,
               std::string kept)
    : config_(config),
      kept_(std::move(kept)),
      store_(std::move(store)),
      archive_(std::move(archive)),
      models_(config.repository, store_.get(), archive_.get()),
      engine_(config.engine, store_.get(), &models_, &clock_),
      package_sweep_({.pause = config.engine.retention.pause}, store_.get(), &models_),
      housekeeping_(kHousekeepingPause,
                    [this] {
                      engine_.DropExpired();
                      return kHousekeepingPause;
                    }),
      retention_(config.engine.retention.pause,
                 [this] {
                   const absl::StatusOr<absl::Duration> pause = engine_.Retain();
                   if (pause.ok()) return *pause;
                   spdlog::warn("retention: {}", std::string(pause.status().message()));
                   return config_.engine.retention.pause;
                 }),
      packages_(config.engine.retention.pause,
                [this] {
                  const absl::StatusOr<absl::Duration> pause = package_sweep_.Work();
                  if (pause.ok()) return *pause;
                  spdlog::warn("kept packages: {}", std::string(pause.status().message()));
                  return config_.engine.retention.pause;
                }),
      rpcs_({.listen = config.listen, .max_message_bytes = config.max_message_bytes}),
      states_(&engine_, config.max_message_bytes, config.store.max_bytes, rpcs_),
      model_service_(&models_, config.uploads, rpcs_),
      branches_(&engine_, rpcs_),
      admin_(store_.get(), &clock_, config.backup_dir, rpcs_),
      health_(rpcs_) {}

absl::Status Server::Start() {
  spdlog::info("stepwelld {} loads the models of {}", STEPWELL_VERSION, config_.repository.root.string());
  const absl::Status loaded = models_.LoadAll();
  if (!loaded.ok()) return loaded;
  LogModels(models_);
  const absl::Status started = rpcs_.Start();
  if (!started.ok()) return started;
  health_.StartServing();
  spdlog::info("serving on {}; states are kept {}", absl::StrJoin(addresses(), ", "), kept_);
  spdlog::info(
      "limits: {} bytes a message, {} workers, {} calls waiting for them, {} waiting for "
      "a branch, {} snapshots and {} bytes of arrays cached",
      config_.max_message_bytes, config_.engine.worker_threads, config_.engine.max_queued_calls,
      config_.engine.max_queued_per_branch, config_.engine.max_cached_snapshots,
      config_.engine.max_cached_bytes);
  return absl::OkStatus();
}

bool Server::Stop() {
  spdlog::info("stopping: new calls are refused, running ones have {}",
               absl::FormatDuration(config_.grace_period));
  health_.StopServing();
  const bool finished = rpcs_.Stop(absl::Now() + config_.grace_period);
  if (finished) {
    spdlog::info("stopped");
  } else {
    spdlog::warn("stopped with calls still running");
  }
  return finished;
}

}  // namespace stepwell::server
