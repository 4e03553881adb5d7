#include "stepwell/model/repository.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
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

ModelRevisionRecord RecordOf(const Model& model) {
  ModelRevisionRecord record{model.name(), model.revision(), model.digest(), {}};
  for (const auto& [tensor, initial] : model.state_spec().arrays()) {
    record.state.push_back({tensor.name, tensor.dtype, {}});
    for (const Dim& dim : tensor.dims) record.state.back().dims.push_back(dim.extent);
  }
  return record;
}

StateSpec StateSpecOf(const ModelRevisionRecord& record) {
  static_assert(ModelRevisionRecord::kDynamic == Dim::kDynamic);
  std::vector<StateArraySpec> arrays;
  for (const ModelRevisionRecord::StateArray& array : record.state) {
    arrays.push_back({{array.index, array.dtype, {}}, GivenAtMakeState()});
    for (const int64_t extent : array.dims) arrays.back().tensor.dims.push_back({extent, ""});
  }
  return StateSpec(std::move(arrays));
}

}  // namespace

ModelRepository::ModelRepository(RepositoryOptions options, Store* store, PackageArchive* archive)
    : options_(std::move(options)),
      store_(store),
      archive_(archive),
      restored_(Restore()),
      loader_(/*thread_count=*/1, /*max_queued=*/0) {}  // What waits is let in by whoever asks.

absl::Status ModelRepository::Restore() {
  if (store_ == nullptr) return absl::OkStatus();
  absl::Notification called;
  absl::StatusOr<std::vector<ModelRevisionRecord>> records;
  store_->ReadModelRevisions([&](absl::StatusOr<std::vector<ModelRevisionRecord>> read) {
    records = std::move(read);
    called.Notify();
  });
  called.WaitForNotification();
  if (!records.ok()) return records.status();
  const absl::MutexLock lock(&mutex_);
  for (const ModelRevisionRecord& record : *records) {
    Entry& entry = entries_[record.model];
    entry.digests.emplace(record.revision, record.digest);
    entry.state_specs.emplace(record.revision, std::make_shared<const StateSpec>(StateSpecOf(record)));
  }
  for (auto& [name, entry] : entries_) entry.loadable = LoadableOf(entry.digests);
  return absl::OkStatus();
}

absl::Status ModelRepository::Record(const Model& model) const {
  if (store_ == nullptr) return absl::OkStatus();
  absl::Notification called;
  absl::Status recorded;
  store_->RecordModelRevision(RecordOf(model), [&](absl::Status status) {
    recorded = std::move(status);
    called.Notify();
  });
  called.WaitForNotification();
  return recorded;
}

absl::Status ModelRepository::LoadAll() {
  if (!restored_.ok()) return restored_;
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
  if (!restored_.ok()) return restored_;

  Entry* entry = nullptr;
  Known known;
  {
    const absl::MutexLock lock(&mutex_);
    entry = &entries_[std::string(name)];
    mutex_.Await(absl::Condition(IsIdle, entry));
    entry->loading = true;
    known = {entry->newest(), entry->digests, entry->kept_models};
  }
  const absl::StatusOr<Package> package = OpenPackage(name);
  absl::StatusOr<std::shared_ptr<const Model>> loaded =
      package.ok() ? LoadPackage(*package, name, known) : package.status();
  if (loaded.ok() && *loaded != known.newest) {
    const absl::Status published = Publish(*package, *loaded, /*staged=*/nullptr, *entry);
    if (!published.ok()) loaded = published;
  }
  std::set<int64_t> loadable = LoadableOf(known.digests);
  const absl::MutexLock lock(&mutex_);
  entry->loading = false;
  entry->error = loaded.status();
  if (loaded.ok()) {
    entry->loadable = std::move(loadable);
    entry->kept_errors.clear();
  }
  return loaded;
}

absl::Status ModelRepository::Publish(const Package& package, const std::shared_ptr<const Model>& model,
                                      PackageStaging* staged, Entry& entry) {
  const absl::MutexLock archive_lock(&archive_mutex_);
  if (archive_ != nullptr) {
    const absl::Status kept = archive_->Keep(package, model->digest());
    if (!kept.ok()) return kept;
  }
  bool is_recorded = false;
  {
    const absl::ReaderMutexLock lock(&mutex_);
    is_recorded = entry.digests.contains(model->revision());
  }
  if (!is_recorded) {
    const absl::Status recorded = Record(*model);
    if (!recorded.ok()) return recorded;
    // The number is this content's from now on, wherever the package ends up.
    const absl::MutexLock lock(&mutex_);
    entry.digests.emplace(model->revision(), model->digest());
  }
  if (staged != nullptr) {
    const absl::Status placed = staged->Place();
    if (!placed.ok()) return placed;
  }
  const absl::MutexLock lock(&mutex_);
  entry.models.emplace(model->revision(), model);
  entry.kept_models.erase(model->revision());
  entry.OnLoaded(model);
  return absl::OkStatus();
}

void ModelRepository::Entry::OnLoaded(const std::shared_ptr<const Model>& model) {
  state_specs.insert_or_assign(model->revision(), model->shared_state_spec());
  Use& use = uses[model->revision()];
  use.model = model;
  ++use.load_count;
}

std::shared_ptr<const Model> ModelRepository::Entry::Find(int64_t revision) const {
  for (const auto* loaded : {&models, &kept_models}) {
    const auto found = loaded->find(revision);
    if (found != loaded->end()) return found->second;
  }
  return nullptr;
}

int64_t ModelRepository::RevisionOf(const std::string& digest, const Known& known) {
  if (known.digests.empty()) return 1;
  // A package that was changed back while a newer revision is loaded is newer than that.
  const int64_t oldest = known.newest == nullptr ? 1 : known.newest->revision();
  for (auto it = known.digests.rbegin(); it != known.digests.rend() && it->first >= oldest; ++it) {
    if (it->second == digest) return it->first;
  }
  return known.digests.rbegin()->first + 1;
}

absl::StatusOr<Package> ModelRepository::OpenPackage(absl::string_view name) const {
  std::error_code error;
  const fs::path folder = options_.root / std::string(name);
  const fs::path file = options_.root / absl::StrCat(name, kLoneEnding);
  const bool is_folder = fs::is_directory(folder, error);
  if (is_folder && fs::exists(file, error)) {
    return absl::FailedPreconditionError(absl::StrCat("model \"", name, "\" has two packages, \"", name,
                                                      "\" and \"", name, kLoneEnding, "\"; expected one"));
  }
  return Package::Open(is_folder ? folder : file);
}

absl::StatusOr<std::shared_ptr<const Model>> ModelRepository::LoadPackage(const Package& package,
                                                                          absl::string_view name,
                                                                          const Known& known) const {
  const absl::StatusOr<std::string> digest = package.Digest();
  if (!digest.ok()) return digest.status();
  return LoadContent(package, *digest, name, known);
}

absl::StatusOr<std::shared_ptr<const Model>> ModelRepository::LoadContent(const Package& package,
                                                                          const std::string& digest,
                                                                          absl::string_view name,
                                                                          const Known& known) const {
  const int64_t revision = RevisionOf(digest, known);
  if (known.newest != nullptr && known.newest->revision() == revision) return known.newest;
  const auto kept = known.kept_models.find(revision);
  if (kept != known.kept_models.end()) return kept->second;
  return LoadModel(package, name, {revision, options_.threads_per_session, digest});
}

absl::Status ModelRepository::Unload(absl::string_view name, std::optional<int64_t> revision) {
  std::map<int64_t, std::shared_ptr<const Model>> dropped;  // Goes after the lock does: it may take a while.
  const absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return ModelNotFound(name, "is not loaded");
  Entry& entry = found->second;
  mutex_.Await(absl::Condition(IsIdle, &entry));
  if (revision.has_value()) {
    const bool was_loadable = entry.loadable.erase(*revision) > 0;
    dropped.insert(entry.kept_models.extract(*revision));
    if (!dropped.empty()) return absl::OkStatus();
    if (!entry.models.contains(*revision) && was_loadable) return absl::OkStatus();
  }
  if (entry.models.empty() && entry.kept_models.empty() && entry.loadable.empty() && entry.error.ok()) {
    return ModelNotFound(name, "is not loaded");
  }
  if (revision.has_value() && !entry.models.contains(*revision))
    return RevisionNotFound(name, *revision, entry);
  if (revision.has_value() && entry.models.size() > 1) {
    dropped.insert(entry.models.extract(*revision));
    return absl::OkStatus();
  }
  entry.unloaded = entry.newest();
  entry.error = absl::OkStatus();
  dropped.swap(entry.models);
  if (revision.has_value()) return absl::OkStatus();
  dropped.merge(entry.kept_models);
  entry.loadable.clear();
  return absl::OkStatus();
}

absl::Status ModelRepository::RevisionNotFound(absl::string_view name, int64_t revision, const Entry& entry) {
  return ModelNotFound(name, absl::StrCat("has no revision ", revision, " loaded; expected one of ",
                                          absl::StrJoin(entry.LoadedRevisions(), ", ")));
}

std::vector<int64_t> ModelRepository::Entry::LoadedRevisions() const {
  std::vector<int64_t> revisions;
  for (const auto* loaded : {&models, &kept_models}) {
    for (const auto& [revision, model] : *loaded) revisions.push_back(revision);
  }
  std::ranges::sort(revisions);
  return revisions;
}

absl::StatusOr<const ModelRepository::Entry*> ModelRepository::FindEntry(absl::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return ModelNotFound(name, "is not loaded");
  const Entry& entry = found->second;
  if (!entry.models.empty()) return &entry;
  if (!entry.loading && entry.error.ok()) {
    if (!entry.kept_models.empty() || !entry.loadable.empty()) {
      return ModelNotFound(name, "is not loaded; what is kept of it serves the states that it has made");
    }
    return ModelNotFound(name, entry.is_listed() ? "is unloaded" : "is not loaded");
  }
  const std::string why =
      entry.loading ? "it is being loaded" : absl::StrCat("it failed to load: ", entry.error.message());
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("model \"", name, "\" is not ready: ", why)),
      "MODEL_NOT_READY", {{"model", std::string(name)}});
}

ModelStatus ModelRepository::StatusOf(const std::string& name, const Entry& entry) {
  ModelStatus status{name, ModelState::kUnloading, entry.error, entry.newest(), entry.LoadedRevisions()};
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
  const auto found = entries_.find(name);
  if (found != entries_.end()) {
    std::shared_ptr<const Model> model = found->second.Find(revision);
    if (model != nullptr) return model;
    const auto error = found->second.kept_errors.find(revision);
    if (error != found->second.kept_errors.end()) return error->second;
    if (!found->second.kept_models.empty()) return RevisionNotFound(name, revision, found->second);
  }
  const absl::StatusOr<const Entry*> entry = FindEntry(name);
  if (!entry.ok()) return entry.status();
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

absl::StatusOr<std::string> ModelRepository::FindDigest(absl::string_view name, int64_t revision) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return ModelNotFound(name, "is not loaded");
  const auto digest = entry->second.digests.find(revision);
  if (digest != entry->second.digests.end()) return digest->second;
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
