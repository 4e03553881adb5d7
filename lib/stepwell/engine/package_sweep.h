#ifndef STEPWELL_ENGINE_PACKAGE_SWEEP_H_
#define STEPWELL_ENGINE_PACKAGE_SWEEP_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "stepwell/model/repository.h"
#include "stepwell/storage/store.h"

namespace stepwell {

struct PackageSweepOptions {
  absl::Duration pause = absl::Seconds(10);  // From when nothing is left to look at until it is looked again.
  size_t batch_size = 256;                   // Snapshots that are read at a time; at least 1.
};

// Drops the kept packages of revisions that no snapshot is left of.
//
// Of each package that is not in use it knows one snapshot that needs it, the newest; as long as that is
// there, nothing else is read. Since nobody makes snapshots of such a revision, what is above that one needs
// no second look: all in all the snapshots are gone through once, from the newest to the oldest, in small
// parts, each when those above it are gone. What it knows is lost with the process. Thread-compatible.
class PackageSweep {
 public:
  // `store` and `models` must outlive this.
  PackageSweep(const PackageSweepOptions& options, Store* store, ModelRepository* models)
      : options_(options), store_(store), models_(models) {}

  // Does the next part, and waits for the store in it; says after what pause the one after that may be done.
  // Errors are those of the store and of the archive.
  absl::StatusOr<absl::Duration> Work();

 private:
  using Records = std::vector<std::shared_ptr<const SnapshotRecord>>;

  struct Search {
    ModelRepository::UnusedPackage package;
    Version before{0};       // From here on nothing needs it, but for `before` itself where
    bool is_needed = false;  // that does.
  };

  // Takes up what has come into use, or went out of it.
  absl::Status Update();
  // Looks whether what the searches have found is still there.
  absl::Status Recheck();
  absl::StatusOr<absl::Duration> ReadSnapshots(Version before);
  void Look(const SnapshotRecord& record);
  absl::Status DropUnneeded();

  const PackageSweepOptions options_;
  Store* const store_;
  ModelRepository* const models_;
  bool is_up_to_date_ = false;              // Since the last pause.
  std::map<std::string, Search> searches_;  // By the package's digest.
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_PACKAGE_SWEEP_H_
