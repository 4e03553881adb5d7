// ModelRepository::Install: how a package that came from elsewhere becomes one of the repository.
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stepwell/base/error_info.h"
#include "stepwell/model/package.h"
#include "stepwell/model/package_staging.h"
#include "stepwell/model/repository.h"

namespace stepwell {
namespace {

absl::Status ModelExists(const std::string& name) {
  return WithErrorInfo(
      absl::AlreadyExistsError(absl::StrCat("model \"", name,
                                            "\" has a package with other content in the repository; expected "
                                            "replace, or a new name")),
      "MODEL_EXISTS", {{"model", name}});
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Model>> ModelRepository::Install(PackageStaging& staged,
                                                                      absl::string_view digest,
                                                                      bool replace) {
  if (absl::Status status = CheckModelName(staged.name()); !status.ok()) return status;
  if (!restored_.ok()) return restored_;
  Entry* entry = nullptr;
  Known known;
  {
    const absl::MutexLock lock(&mutex_);
    entry = &entries_[staged.name()];
    mutex_.Await(absl::Condition(IsIdle, entry));
    entry->installing = true;
    known = {entry->newest(), entry->digests, entry->kept_models};
  }
  absl::StatusOr<std::shared_ptr<const Model>> loaded = InstallInTurn(staged, digest, replace, entry, known);
  std::set<int64_t> loadable = LoadableOf(known.digests);
  const absl::MutexLock lock(&mutex_);
  entry->installing = false;
  if (loaded.ok()) {
    entry->error = absl::OkStatus();
    entry->loadable = std::move(loadable);
    entry->kept_errors.clear();
  }
  return loaded;
}

absl::StatusOr<std::shared_ptr<const Model>> ModelRepository::InstallInTurn(PackageStaging& staged,
                                                                            absl::string_view digest,
                                                                            bool replace, Entry* entry,
                                                                            const Known& known) {
  const absl::StatusOr<Package> package = Package::Open(staged.path());
  if (!package.ok()) return package.status();
  const absl::StatusOr<std::string> real_digest = package->Digest();
  if (!real_digest.ok()) return real_digest.status();
  if (!digest.empty() && digest != *real_digest) {
    return absl::InvalidArgumentError(absl::StrCat("the package's digest is \"", *real_digest,
                                                   "\"; expected \"", digest, "\", as the header says"));
  }
  const absl::StatusOr<bool> in_place = IsInPlace(staged, *real_digest, replace);
  if (!in_place.ok()) return in_place.status();
  const absl::StatusOr<Package> placed = *in_place ? OpenPackage(staged.name()) : package;
  if (!placed.ok()) return placed.status();
  absl::StatusOr<std::shared_ptr<const Model>> loaded =
      LoadContent(*placed, *real_digest, staged.name(), known);
  if (!loaded.ok() || (*in_place && *loaded == known.newest)) return loaded;
  const absl::Status published = Publish(*placed, *loaded, *in_place ? nullptr : &staged, *entry);
  if (!published.ok()) return published;
  return loaded;
}

absl::StatusOr<bool> ModelRepository::IsInPlace(const PackageStaging& staged, absl::string_view digest,
                                                bool replace) const {
  const std::string& name = staged.name();
  if (!HasPackage(name)) return false;
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(options_.root / name, error);
  if (is_folder == staged.is_lone_file()) {
    return absl::FailedPreconditionError(
        absl::StrCat("model \"", name, "\" is ", is_folder ? "a folder" : "a lone .onnx file",
                     " in the repository; expected a package of that kind, or a new name"));
  }
  const absl::StatusOr<Package> old = Package::Open(options_.root / staged.path().filename());
  const absl::StatusOr<std::string> old_digest = old.ok() ? old->Digest() : old.status();
  if (old_digest.ok() && *old_digest == digest) return true;
  if (!replace) return ModelExists(name);
  return false;
}

}  // namespace stepwell
