#ifndef STEPWELL_MODEL_REPOSITORY_H_
#define STEPWELL_MODEL_REPOSITORY_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/model/model.h"
#include "stepwell/model/package.h"
#include "stepwell/model/package_archive.h"
#include "stepwell/storage/store.h"

namespace stepwell {

class Package;
class PackageStaging;

enum class ModelState { kLoading, kReady, kFailed, kUnloading };

// What a listing tells of a model.
struct ModelStatus {
  std::string name;
  ModelState state = ModelState::kLoading;
  absl::Status error;                  // Why, when `state` is kFailed.
  std::shared_ptr<const Model> model;  // The newest ready revision; null when there is none.
  std::vector<int64_t> revisions;      // That are ready, ascending.
};

struct RepositoryOptions {
  std::filesystem::path root;   // The folder of packages.
  int threads_per_session = 1;  // ONNX Runtime's threads inside one run; 1: none beside the caller's.
};

// The packages of a folder, loaded on demand: each as revision 1, and as the next revision when its content
// has changed at a later Load. Older revisions stay until Unload. The store remembers which content a number
// stands for: after a restart, the content of a package has the number that it had, and new content the next
// one. The archive keeps the packages themselves: after a restart, a revision whose package is not in the
// folder any more is loaded from there when one of its states needs it. Thread-safe.
class ModelRepository {
 public:
  // Reads the revisions that `store` knows; null: numbers are this object's own. Null `archive`: no package
  // is kept. Both must outlive this.
  explicit ModelRepository(RepositoryOptions options, Store* store = nullptr,
                           PackageArchive* archive = nullptr);

  // Loads every package of the folder; one that fails is listed as FAILED and leaves the others alone.
  // NOT_FOUND: the folder is not there. As the store: its revisions cannot be read.
  absl::Status LoadAll();

  // Loads `name`, or returns the newest revision when the package's content (its digest) is still that one's.
  // Content that was loaded before has the number that it had then, unless a newer revision is loaded.
  // A failure keeps the revision that was there. NOT_FOUND (MODEL_NOT_FOUND): no such package.
  // INVALID_ARGUMENT: `name` is no package name (it might reach outside the folder). FAILED_PRECONDITION: the
  // package is wrong; the message lists all that is wrong with it, a line each; or it changed meanwhile. As
  // the archive and the store: its package cannot be kept, or the revision not be recorded.
  absl::StatusOr<std::shared_ptr<const Model>> Load(absl::string_view name);

  // Takes the package that `staged` has finished into the folder and loads it, as Load would. It is loaded
  // first, from where it lies: what is wrong changes nothing. A package that is there already with the same
  // content is loaded instead. ALREADY_EXISTS (MODEL_EXISTS): one is there with other content, and not to be
  // replaced. INVALID_ARGUMENT: `digest` is given and is not the package's. FAILED_PRECONDITION: as Load, the
  // one that is there is a folder and the new one a lone file or the other way round, or as
  // PackageStaging::Place.
  absl::StatusOr<std::shared_ptr<const Model>> Install(PackageStaging& staged, absl::string_view digest,
                                                       bool replace);

  // The folder of packages.
  const std::filesystem::path& root() const { return options_.root; }

  // Forgets every revision of `name`, or `revision` alone; steps that hold one finish. What is kept of it is
  // not loaded either, until the next Load of `name`. NOT_FOUND (MODEL_NOT_FOUND): not loaded.
  absl::Status Unload(absl::string_view name, std::optional<int64_t> revision = std::nullopt);

  // The newest revision, of those that were loaded from the folder. NOT_FOUND (MODEL_NOT_FOUND) when not
  // loaded; FAILED_PRECONDITION (MODEL_NOT_READY) when its load failed or is under way.
  absl::StatusOr<std::shared_ptr<const Model>> Find(absl::string_view name) const;

  // One revision. Errors as above; NOT_FOUND also when that revision is not loaded. Of one that was to be
  // loaded from the archive, what went wrong, such as DATA_LOSS (PACKAGE_DAMAGED).
  absl::StatusOr<std::shared_ptr<const Model>> Find(absl::string_view name, int64_t revision) const;

  // Whether Find may find `revision` later, since its package is kept: then `done` is called, on a thread of
  // this object, once it was tried to load it. Else `done` is left as it is.
  [[nodiscard]] bool LoadKept(absl::string_view name, int64_t revision, WorkerPool::Task& done);

  // A package that is kept, and in use for no model that is loaded, or that somebody who steps it holds.
  struct UnusedPackage {
    std::string digest;
    std::vector<std::pair<std::string, int64_t>> revisions;  // That it is the package of, by model.
    int64_t load_count = 0;                                  // How often they were loaded so far.
  };
  // As the archive: it cannot be listed.
  absl::StatusOr<std::vector<UnusedPackage>> ListUnusedPackages() const;

  // Removes the package from the archive, unless it has been in use since it was listed. To be called when no
  // snapshot of its revisions is left.
  absl::Status DropUnused(const UnusedPackage& package);

  // The state spec of a revision that was loaded once, also when it no longer is: snapshots outlive their
  // models. Of one that was loaded before a restart and not since, without initial values and names of
  // dimensions. NOT_FOUND (MODEL_NOT_FOUND): the store knows no such revision.
  absl::StatusOr<std::shared_ptr<const StateSpec>> FindStateSpec(absl::string_view name,
                                                                 int64_t revision) const;

  // The digest of the package that a revision was made of, also when it is not loaded any more. Errors as
  // FindStateSpec.
  absl::StatusOr<std::string> FindDigest(absl::string_view name, int64_t revision) const;

  // NOT_FOUND (MODEL_NOT_FOUND) for a name that is not listed.
  absl::StatusOr<ModelStatus> Status(absl::string_view name) const;

  // In the order of names.
  std::vector<ModelStatus> List() const;

 private:
  // What is known of one name.
  struct Entry {
    bool loading = false;                                    // Load, Install or Unload waits until it is not.
    bool installing = false;                                 // As well; nothing tells of it.
    absl::Status error;                                      // Of the last load.
    std::map<int64_t, std::shared_ptr<const Model>> models;  // By revision.
    // Of the archive: those that were loaded from there, that may be, and why one could not be.
    std::map<int64_t, std::shared_ptr<const Model>> kept_models;
    std::set<int64_t> loadable;
    std::map<int64_t, absl::Status> kept_errors;
    std::weak_ptr<const Model> unloaded;  // The newest that was unloaded; steps may still hold it.
    // By revision, of all that were loaded by this process, from wherever.
    struct Use {
      std::weak_ptr<const Model> model;  // Steps may hold it longer than this object does.
      int64_t load_count = 0;
    };
    std::map<int64_t, Use> uses;
    // By revision, of all that were ever made: they outlive Unload, and with a store the process.
    std::map<int64_t, std::string> digests;
    std::map<int64_t, std::shared_ptr<const StateSpec>> state_specs;

    std::shared_ptr<const Model> newest() const { return models.empty() ? nullptr : models.rbegin()->second; }
    bool is_listed() const {
      return loading || !error.ok() || !models.empty() || !kept_models.empty() || !unloaded.expired();
    }
    std::shared_ptr<const Model> Find(int64_t revision) const;
    std::vector<int64_t> LoadedRevisions() const;  // Ascending.
    void OnLoaded(const std::shared_ptr<const Model>& model);
  };

  static bool IsIdle(Entry* entry) { return !entry->loading && !entry->installing; }
  static ModelStatus StatusOf(const std::string& name, const Entry& entry);

  // NOT_FOUND (MODEL_NOT_FOUND), with the revisions there are.
  static absl::Status RevisionNotFound(absl::string_view name, int64_t revision, const Entry& entry);

  // Takes up the revisions that the store knows.
  absl::Status Restore();
  // Has the store remember `model`, and waits until it does.
  absl::Status Record(const Model& model) const;

  // Which of `digests` the archive has packages of.
  std::set<int64_t> LoadableOf(const std::map<int64_t, std::string>& digests) const;
  void LoadFromArchive(const std::string& name, int64_t revision) ABSL_LOCKS_EXCLUDED(mutex_);
  // Adds up how `package` is used; false: it is just now.
  bool CountUses(UnusedPackage& package) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  bool HasPackage(absl::string_view name) const;
  absl::StatusOr<Package> OpenPackage(absl::string_view name) const;
  // What to compare a package with.
  struct Known {
    std::shared_ptr<const Model> newest;
    std::map<int64_t, std::string> digests;
    std::map<int64_t, std::shared_ptr<const Model>> kept_models;
  };
  // The number for a package of `digest`.
  static int64_t RevisionOf(const std::string& digest, const Known& known);
  // One of `known` where the package's content is what that was made from.
  absl::StatusOr<std::shared_ptr<const Model>> LoadPackage(const Package& package, absl::string_view name,
                                                           const Known& known) const;
  absl::StatusOr<std::shared_ptr<const Model>> LoadContent(const Package& package, const std::string& digest,
                                                           absl::string_view name, const Known& known) const;
  // What Install does in the turn of `entry`.
  absl::StatusOr<std::shared_ptr<const Model>> InstallInTurn(PackageStaging& staged, absl::string_view digest,
                                                             bool replace, Entry* entry, const Known& known);
  // Whether the content of `staged` is in its place already; an error when what is there may not be replaced.
  absl::StatusOr<bool> IsInPlace(const PackageStaging& staged, absl::string_view digest, bool replace) const;
  // Has archive and store keep what `package` became, puts it from `staged`, if any, in its place, and lets
  // others see it.
  absl::Status Publish(const Package& package, const std::shared_ptr<const Model>& model,
                       PackageStaging* staged, Entry& entry) ABSL_LOCKS_EXCLUDED(archive_mutex_, mutex_);
  absl::StatusOr<const Entry*> FindEntry(absl::string_view name) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const RepositoryOptions options_;
  Store* const store_;
  PackageArchive* const archive_;

  // From when a package is kept until it is in use, so that it is not dropped in between.
  absl::Mutex archive_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);

  // Held for look-ups and their like, never while a package is read.
  mutable absl::Mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_ ABSL_GUARDED_BY(mutex_);  // An entry is never erased.

  const absl::Status restored_;  // It fills in the entries.
  WorkerPool loader_;            // Last: it uses all of the above.
};

}  // namespace stepwell

#endif  // STEPWELL_MODEL_REPOSITORY_H_
