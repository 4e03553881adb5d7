#include "stepwell/model/repository.h"

#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "stepwell/base/error_info.h"
#include "stepwell/model/loader.h"
#include "stepwell/model/package.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

constexpr char kLoneEnding[] = ".onnx";

absl::Status ModelNotFound(absl::string_view name, absl::string_view what) {
  const std::string shown = absl::CHexEscape(name.substr(0, 128));
  return WithErrorInfo(absl::NotFoundError(absl::StrCat("model \"", shown, "\" ", what)), "MODEL_NOT_FOUND",
                       {{"model", shown}});
}

}  // namespace

ModelRepository::ModelRepository(RepositoryOptions options) : options_(std::move(options)) {}

absl::Status ModelRepository::LoadAll() {
  std::error_code error;
  fs::directory_iterator found(options_.root, error);
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("model repository \"", options_.root.string(), "\": ", error.message()));
  }
  for (; !error && found != fs::directory_iterator(); found.increment(error)) {
    const fs::path& path = found->path();
    const std::string file = path.filename().string();
    if (absl::StartsWith(file, ".")) continue;
    const bool is_folder = fs::exists(path / Package::kTextFile, error);
    if (!is_folder && path.extension() != kLoneEnding) continue;
    const std::string name = is_folder ? file : path.stem().string();
    const absl::Status loaded = Load(name).status();
    if (loaded.code() != absl::StatusCode::kInvalidArgument) continue;  // The entry tells.
    const absl::MutexLock lock(&mutex_);
    entries_[absl::CHexEscape(name)].error = loaded;  // A listing is to be printable, file names need not be.
  }
  if (!error) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("model repository \"", options_.root.string(), "\": ", error.message()));
}

bool ModelRepository::HasPackage(absl::string_view name) const {
  std::error_code error;
  return fs::is_directory(options_.root / std::string(name), error) ||
         fs::exists(options_.root / absl::StrCat(name, kLoneEnding), error);
}

absl::StatusOr<std::shared_ptr<const Model>> ModelRepository::Load(absl::string_view name) {
  if (absl::Status status = CheckModelName(name); !status.ok()) return status;
  if (!HasPackage(name)) return ModelNotFound(name, "has no package in the repository");

  Entry* entry = nullptr;
  Known known;
  {
    const absl::MutexLock lock(&mutex_);
    entry = &entries_[std::string(name)];
    mutex_.Await(absl::Condition(IsIdle, entry));
    entry->loading = true;
    known = {entry->newest(), entry->last_revision, entry->last_digest};
  }
  absl::StatusOr<std::shared_ptr<const Model>> loaded = LoadPackage(name, known);
  const absl::MutexLock lock(&mutex_);
  entry->loading = false;
  entry->error = loaded.status();
  if (loaded.ok() && *loaded != known.newest) {
    const Model& model = **loaded;
    entry->models.emplace(model.revision(), *loaded);
    entry->state_specs.emplace(model.revision(), model.shared_state_spec());
    entry->last_revision = model.revision();
    entry->last_digest = model.digest();
  }
  return loaded;
}

absl::StatusOr<std::shared_ptr<const Model>> ModelRepository::LoadPackage(absl::string_view name,
                                                                          const Known& known) const {
  std::error_code error;
  const fs::path folder = options_.root / std::string(name);
  const fs::path file = options_.root / absl::StrCat(name, kLoneEnding);
  const bool is_folder = fs::is_directory(folder, error);
  if (is_folder && fs::exists(file, error)) {
    return absl::FailedPreconditionError(absl::StrCat("model \"", name, "\" has two packages, \"", name,
                                                      "\" and \"", name, kLoneEnding, "\"; expected one"));
  }
  const absl::StatusOr<Package> package = Package::Open(is_folder ? folder : file);
  if (!package.ok()) return package.status();
  absl::StatusOr<std::string> digest = package->Digest();
  if (!digest.ok()) return digest.status();
  const bool same = *digest == known.last_digest;
  if (same && known.newest != nullptr && known.newest->revision() == known.last_revision) return known.newest;
  const int64_t revision = known.last_revision + (same ? 0 : 1);
  return LoadModel(*package, name, {revision, options_.threads_per_session, *std::move(digest)});
}

absl::Status ModelRepository::Unload(absl::string_view name, std::optional<int64_t> revision) {
  std::map<int64_t, std::shared_ptr<const Model>> dropped;  // Goes after the lock does: it may take a while.
  const absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return ModelNotFound(name, "is not loaded");
  Entry& entry = found->second;
  mutex_.Await(absl::Condition(IsIdle, &entry));
  if (entry.models.empty() && entry.error.ok()) return ModelNotFound(name, "is not loaded");
  if (revision.has_value() && !entry.models.contains(*revision))
    return RevisionNotFound(name, *revision, entry);
  if (revision.has_value() && entry.models.size() > 1) {
    dropped.insert(entry.models.extract(*revision));
    return absl::OkStatus();
  }
  entry.unloaded = entry.newest();
  entry.error = absl::OkStatus();
  dropped.swap(entry.models);
  return absl::OkStatus();
}

absl::Status ModelRepository::RevisionNotFound(absl::string_view name, int64_t revision, const Entry& entry) {
  const auto add = [](std::string* out, const auto& model) { absl::StrAppend(out, model.first); };
  return ModelNotFound(name, absl::StrCat("has no revision ", revision, " loaded; expected one of ",
                                          absl::StrJoin(entry.models, ", ", add)));
}

absl::StatusOr<const ModelRepository::Entry*> ModelRepository::FindEntry(absl::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end() || !found->second.is_listed()) return ModelNotFound(name, "is not loaded");
  const Entry& entry = found->second;
  if (!entry.models.empty()) return &entry;
  if (!entry.loading && entry.error.ok()) return ModelNotFound(name, "is unloaded");
  const std::string why =
      entry.loading ? "it is being loaded" : absl::StrCat("it failed to load: ", entry.error.message());
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("model \"", name, "\" is not ready: ", why)),
      "MODEL_NOT_READY", {{"model", std::string(name)}});
}

ModelStatus ModelRepository::StatusOf(const std::string& name, const Entry& entry) {
  ModelStatus status{name, ModelState::kUnloading, entry.error, entry.newest(), {}};
  for (const auto& [revision, model] : entry.models) status.revisions.push_back(revision);
  if (entry.loading) {
    status.state = ModelState::kLoading;
  } else if (!entry.error.ok()) {
    status.state = ModelState::kFailed;
  } else if (status.model != nullptr) {
    status.state = ModelState::kReady;
  }
  return status;
}

absl::StatusOr<std::shared_ptr<const Model>> ModelRepository::Find(absl::string_view name) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Entry*> entry = FindEntry(name);
  if (!entry.ok()) return entry.status();
  return (*entry)->newest();
}

absl::StatusOr<std::shared_ptr<const Model>> ModelRepository::Find(absl::string_view name,
                                                                   int64_t revision) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Entry*> entry = FindEntry(name);
  if (!entry.ok()) return entry.status();
  const auto found = (*entry)->models.find(revision);
  if (found != (*entry)->models.end()) return found->second;
  return RevisionNotFound(name, revision, **entry);
}

absl::StatusOr<std::shared_ptr<const StateSpec>> ModelRepository::FindStateSpec(absl::string_view name,
                                                                                int64_t revision) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return ModelNotFound(name, "is not loaded");
  const auto spec = entry->second.state_specs.find(revision);
  if (spec != entry->second.state_specs.end()) return spec->second;
  return ModelNotFound(name, absl::StrCat("never had a revision ", revision, " loaded"));
}

absl::StatusOr<ModelStatus> ModelRepository::Status(absl::string_view name) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || !found->second.is_listed()) return ModelNotFound(name, "is not known");
  return StatusOf(found->first, found->second);
}

std::vector<ModelStatus> ModelRepository::List() const {
  const absl::ReaderMutexLock lock(&mutex_);
  std::vector<ModelStatus> list;
  for (const auto& [name, entry] : entries_) {
    if (entry.is_listed()) list.push_back(StatusOf(name, entry));
  }
  return list;
}

}  // namespace stepwell
