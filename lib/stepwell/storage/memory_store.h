#ifndef STEPWELL_STORAGE_MEMORY_STORE_H_
#define STEPWELL_STORAGE_MEMORY_STORE_H_

#include <array>
#include <atomic>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/storage/store.h"

namespace stepwell {

struct MemoryStoreOptions {
  // What snapshots may take together: the bytes of their arrays and labels, and kBytesPerSnapshot for each.
  int64_t max_bytes = int64_t{4} << 30;
};

// Keeps everything in this process's memory and loses it with the process. Nothing is ever dropped: a commit
// that would exceed max_bytes is RESOURCE_EXHAUSTED (MEMORY_LIMIT). Completes every call before it returns.
// Thread-safe.
class MemoryStore final : public Store {
 public:
  // What is counted for a snapshot beside its arrays and labels: its record and its place in the maps.
  static constexpr int64_t kBytesPerSnapshot = 512;

  explicit MemoryStore(const MemoryStoreOptions& options = {}) : options_(options) {}

  void Commit(CommitBatch batch, Durability durability, DoneCallback visible, DoneCallback durable) override;
  void ReadSnapshot(Version version, Callback<std::shared_ptr<const SnapshotRecord>> done) override;
  void ReadArray(Version writer, int position, Callback<Array> done) override;
  void ReadBranch(absl::string_view name, Callback<BranchRecord> done) override;
  void ReserveVersions(int64_t count, Callback<VersionBlock> done) override;
  bool IsDurable(Version version) const override;

 private:
  // Snapshots are spread over shards by version, so that steps of different streams do not wait for one lock.
  struct Shard {
    absl::Mutex mutex;
    absl::flat_hash_map<Version, NewSnapshot> snapshots ABSL_GUARDED_BY(mutex);
  };
  Shard& ShardOf(Version version) { return shards_[static_cast<size_t>(version.value()) % shards_.size()]; }

  // What speaks against the branch changes of `batch`.
  absl::Status CheckBranches(const CommitBatch& batch) const ABSL_SHARED_LOCKS_REQUIRED(branches_mutex_);
  void AddSnapshots(absl::InlinedVector<NewSnapshot, 1> snapshots);
  absl::Status Apply(CommitBatch batch) ABSL_LOCKS_EXCLUDED(branches_mutex_);

  // Counts `bytes`, or says that they do not fit.
  absl::Status Admit(int64_t bytes);

  const MemoryStoreOptions options_;
  std::atomic<int64_t> used_bytes_ = 0;
  std::atomic<int64_t> next_version_ = 1;
  std::array<Shard, 64> shards_;

  // Not on the path of a step from a version.
  mutable absl::Mutex branches_mutex_;
  absl::flat_hash_map<std::string, BranchRecord> branches_ ABSL_GUARDED_BY(branches_mutex_);
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_MEMORY_STORE_H_
