#ifndef STEPWELL_MODEL_PACKAGE_ARCHIVE_H_
#define STEPWELL_MODEL_PACKAGE_ARCHIVE_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/model/package.h"

namespace stepwell {

// Copies of packages in a folder of its own, each under the digest of its content, so that what made a state
// outlives its package in the repository. A copy is whole, and on the disk, before it is there under its
// name, and never changed. Errors of the file system are INTERNAL (PACKAGE_NOT_KEPT). Thread-safe.
class PackageArchive {
 public:
  // Makes the folder where there is none, for its owner alone, and removes copies that were not finished.
  static absl::StatusOr<std::unique_ptr<PackageArchive>> Open(const std::filesystem::path& folder);

  // Copies `package`, whose content has this digest, unless its copy is there. FAILED_PRECONDITION: by now
  // its content is another.
  absl::Status Keep(const Package& package, absl::string_view digest) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the copy is there.
  bool Has(absl::string_view digest) const;

  // The copy, after its content was read and held against the digest. NOT_FOUND (PACKAGE_NOT_FOUND): there is
  // none. DATA_LOSS (PACKAGE_DAMAGED): it is not what it was.
  absl::StatusOr<Package> Find(absl::string_view digest) const;

  // Removes the copy, if it is there; who has its files open goes on reading them.
  absl::Status Drop(absl::string_view digest) ABSL_LOCKS_EXCLUDED(mutex_);

  // The digests of all copies, in no particular order.
  absl::StatusOr<std::vector<std::string>> List() const;

 private:
  explicit PackageArchive(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path PathOf(absl::string_view digest) const;
  absl::Status Copy(const Package& package, absl::string_view digest) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::filesystem::path folder_;
  absl::Mutex mutex_;  // Held by the one that writes.
};

}  // namespace stepwell

#endif  // STEPWELL_MODEL_PACKAGE_ARCHIVE_H_
