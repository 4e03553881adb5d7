// What a ModelRepository has to do with the archive of packages.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stepwell/base/error_info.h"
#include "stepwell/model/loader.h"
#include "stepwell/model/repository.h"

namespace stepwell {

std::set<int64_t> ModelRepository::LoadableOf(const std::map<int64_t, std::string>& digests) const {
  std::set<int64_t> loadable;
  if (archive_ == nullptr) return loadable;
  for (const auto& [revision, digest] : digests) {
    if (archive_->Has(digest)) loadable.insert(revision);
  }
  return loadable;
}

bool ModelRepository::LoadKept(absl::string_view name, int64_t revision, WorkerPool::Task& done) {
  {
    const absl::ReaderMutexLock lock(&mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return false;
    const Entry& entry = found->second;
    if (!entry.loadable.contains(revision) || entry.kept_errors.contains(revision)) return false;
    if (entry.models.contains(revision)) return false;
  }
  loader_.Schedule([this, name = std::string(name), revision, done = std::move(done)]() mutable {
    LoadFromArchive(name, revision);
    std::move(done)();
  });
  return true;
}

void ModelRepository::LoadFromArchive(const std::string& name, int64_t revision) {
  Entry* entry = nullptr;
  std::string digest;
  {
    const absl::MutexLock lock(&mutex_);
    entry = &entries_[name];
    mutex_.Await(absl::Condition(IsIdle, entry));
    // Somebody may have done it, or have unloaded it, while this waited.
    if (entry->Find(revision) != nullptr || !entry->loadable.contains(revision)) return;
    if (entry->kept_errors.contains(revision)) return;
    entry->loading = true;
    digest = entry->digests[revision];
  }
  const absl::StatusOr<Package> package = archive_->Find(digest);
  const absl::StatusOr<std::shared_ptr<const Model>> loaded =
      package.ok() ? LoadModel(*package, name, {revision, options_.threads_per_session, digest})
                   : package.status();
  const absl::MutexLock lock(&mutex_);
  entry->loading = false;
  if (loaded.ok()) {
    entry->kept_models.emplace(revision, *loaded);
    entry->OnLoaded(*loaded);
  } else {
    entry->kept_errors.emplace(revision, loaded.status());
  }
}

bool ModelRepository::CountUses(UnusedPackage& package) const {
  for (const auto& [name, entry] : entries_) {
    for (const auto& [revision, digest] : entry.digests) {
      if (digest != package.digest) continue;
      package.revisions.emplace_back(name, revision);
      if (entry.loading || entry.installing) return false;
      const auto use = entry.uses.find(revision);
      if (use == entry.uses.end()) continue;
      if (!use->second.model.expired()) return false;
      package.load_count += use->second.load_count;
    }
  }
  return true;
}

absl::StatusOr<std::vector<ModelRepository::UnusedPackage>> ModelRepository::ListUnusedPackages() const {
  std::vector<UnusedPackage> unused;
  if (archive_ == nullptr) return unused;
  const absl::StatusOr<std::vector<std::string>> digests = archive_->List();
  if (!digests.ok()) return digests.status();
  const absl::ReaderMutexLock lock(&mutex_);
  for (const std::string& digest : *digests) {
    UnusedPackage package{.digest = digest};
    if (CountUses(package)) unused.push_back(std::move(package));
  }
  return unused;
}

absl::Status ModelRepository::DropUnused(const UnusedPackage& package) {
  const absl::MutexLock archive_lock(&archive_mutex_);
  {
    const absl::MutexLock lock(&mutex_);
    UnusedPackage now{.digest = package.digest};
    if (!CountUses(now) || now.load_count != package.load_count || now.revisions != package.revisions) {
      return absl::OkStatus();
    }
    for (const auto& [name, revision] : package.revisions) entries_[name].loadable.erase(revision);
  }
  return archive_->Drop(package.digest);
}

}  // namespace stepwell
