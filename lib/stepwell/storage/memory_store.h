#ifndef STEPWELL_STORAGE_MEMORY_STORE_H_
#define STEPWELL_STORAGE_MEMORY_STORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/storage/branch_table.h"
#include "stepwell/storage/remembered_requests.h"
#include "stepwell/storage/snapshot_tree.h"
#include "stepwell/storage/store.h"

namespace stepwell {

struct MemoryStoreOptions {
  // What snapshots may take together: the bytes of their arrays and labels, and kBytesPerSnapshot for each.
  int64_t max_bytes = int64_t{4} << 30;
  // For how many requests with a request_id, and how long, it is remembered what came of them.
  size_t max_requests = 65536;
  absl::Duration max_request_age = absl::Minutes(10);
};

// Keeps everything in this process's memory and loses it with the process. Nothing is dropped but by
// DropSnapshots: a commit that would exceed max_bytes is RESOURCE_EXHAUSTED (MEMORY_LIMIT). Completes every
// call before it returns. Thread-safe.
class MemoryStore final : public Store {
 public:
  // What is counted for a snapshot beside its arrays and labels: its record and its place in the maps.
  static constexpr int64_t kBytesPerSnapshot = 512;

  explicit MemoryStore(const MemoryStoreOptions& options = {})
      : max_bytes_(options.max_bytes), requests_(options.max_requests, options.max_request_age) {}

  void Commit(CommitBatch batch, Durability durability, DoneCallback visible, DoneCallback durable) override;
  void DropSnapshots(SnapshotDrop drop, Durability durability, Callback<int64_t> done) override;
  void ReadSnapshot(Version version, Callback<std::shared_ptr<const SnapshotRecord>> done) override;
  void ReadArray(Version writer, int position, Callback<Array> done) override;
  void ReadArrayPart(Version writer, int position, Callback<ArrayPart> done) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadBranch(absl::string_view name, Callback<BranchRecord> done) override;
  void ReadRequest(absl::string_view id, absl::Time now,
                   Callback<std::shared_ptr<const RequestRecord>> done) override;
  void ScanBranches(absl::string_view prefix, absl::string_view after, size_t limit,
                    Callback<std::vector<BranchRecord>> done) override;
  void ScanAncestors(Version version, size_t limit,
                     Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) override;
  void ScanSnapshots(Version before, size_t limit,
                     Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) override;
  void ReserveVersions(int64_t count, Callback<VersionBlock> done) override;
  void RecordModelRevision(ModelRevisionRecord record, DoneCallback done) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadModelRevisions(Callback<std::vector<ModelRevisionRecord>> done) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Checkpoint(std::string path, Callback<int64_t> done) override;
  bool IsDurable(Version version) const override;
  void SetBranchListener(BranchListener* listener) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::StatusOr<std::shared_ptr<const StoredSnapshot>> Find(Version version) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What is stored of the array at `position` that `writer` left, in the order of rows; at least one part.
  absl::StatusOr<std::vector<Array>> FindParts(Version writer, int position) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What is to be said of a snapshot that is not here.
  absl::Status Missing(Version version) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Whether a snapshot is here, or will be with `batch`.
  absl::Status CheckPresent(Version version, const CommitBatch& batch) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // What speaks against `batch`, which would add `bytes`.
  absl::Status Check(const CommitBatch& batch, int64_t bytes) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void Apply(const SnapshotUpdate& update) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Apply(CommitBatch& batch) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<int64_t> Drop(SnapshotDrop& drop) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckDrop(Version version, bool spares_labelled) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const int64_t max_bytes_;
  std::atomic<int64_t> next_version_ = 1;

  mutable absl::Mutex mutex_;
  BranchListener* listener_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int64_t used_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  SnapshotTree tree_ ABSL_GUARDED_BY(mutex_);
  BranchTable branches_ ABSL_GUARDED_BY(mutex_);
  RememberedRequests requests_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, int64_t>, ModelRevisionRecord> model_revisions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_MEMORY_STORE_H_
