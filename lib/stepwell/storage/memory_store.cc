#include "stepwell/storage/memory_store.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "stepwell/storage/errors.h"

namespace stepwell {
namespace {

int64_t ByteCount(const NewSnapshot& snapshot) {
  int64_t bytes = MemoryStore::kBytesPerSnapshot;
  for (const auto& [position, array] : snapshot.arrays) bytes += array.byte_count();
  for (const auto& [key, value] : snapshot.record->labels) {
    bytes += static_cast<int64_t>(key.size() + value.size());
  }
  return bytes;
}

}  // namespace

absl::Status MemoryStore::Check(const CommitBatch& batch, int64_t bytes) const {
  if (used_bytes_ > options_.max_bytes - bytes) return MemoryLimit(bytes, used_bytes_, options_.max_bytes);
  // A batch changes a branch once: the second change would not see the first.
  absl::flat_hash_set<absl::string_view> named;
  for (const BranchRecord& branch : batch.new_branches) {
    if (branches_.contains(branch.name) || !named.insert(branch.name).second)
      return BranchExists(branch.name);
  }
  for (const BranchMove& move : batch.branch_moves) {
    const auto branch = branches_.find(move.branch);
    if (branch == branches_.end()) return BranchNotFound(move.branch);
    if (branch->second.head != move.expected_head) {
      return HeadMoved(move.branch, move.expected_head, branch->second.head);
    }
    if (!named.insert(move.branch).second) return HeadMoved(move.branch, move.expected_head, move.head);
  }
  return absl::OkStatus();
}

absl::Status MemoryStore::Apply(CommitBatch& batch) {
  int64_t bytes = 0;
  for (const NewSnapshot& snapshot : batch.snapshots) bytes += ByteCount(snapshot);

  absl::MutexLock lock(&mutex_);
  absl::Status allowed = Check(batch, bytes);
  if (!allowed.ok()) return allowed;
  used_bytes_ += bytes;
  for (NewSnapshot& snapshot : batch.snapshots) {
    const Version version = snapshot.record->version;
    snapshots_.emplace_hint(snapshots_.end(), version, std::move(snapshot));
  }
  for (BranchRecord& branch : batch.new_branches) {
    const std::string name = branch.name;
    branches_.emplace(name, std::move(branch));
  }
  for (const BranchMove& move : batch.branch_moves) {
    BranchRecord& branch = branches_.find(move.branch)->second;
    branch.head = move.head;
    branch.update_time = move.time;
  }
  return absl::OkStatus();
}

void MemoryStore::Commit(CommitBatch batch, Durability durability, DoneCallback visible,
                         DoneCallback durable) {
  if (durability == Durability::kSync) return std::move(visible)(DurabilityUnavailable("memory"));
  const absl::Status status = Apply(batch);
  std::move(visible)(status);
  if (status.ok()) std::move(durable)(absl::OkStatus());
}

void MemoryStore::ReadSnapshot(Version version, Callback<std::shared_ptr<const SnapshotRecord>> done) {
  std::shared_ptr<const SnapshotRecord> record;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = snapshots_.find(version);
    if (found != snapshots_.end()) record = found->second.record;
  }
  if (record == nullptr) return std::move(done)(SnapshotUnknown(version));
  std::move(done)(std::move(record));
}

void MemoryStore::ReadArray(Version writer, int position, Callback<Array> done) {
  std::optional<Array> array;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = snapshots_.find(writer);
    if (found != snapshots_.end()) {
      for (const auto& [written, candidate] : found->second.arrays) {
        if (written == position) array = candidate;
      }
    }
  }
  if (!array.has_value()) return std::move(done)(SnapshotUnknown(writer));
  std::move(done)(*std::move(array));
}

void MemoryStore::ReadBranch(absl::string_view name, Callback<BranchRecord> done) {
  std::optional<BranchRecord> branch;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = branches_.find(name);
    if (found != branches_.end()) branch = found->second;
  }
  if (!branch.has_value()) return std::move(done)(BranchNotFound(name));
  std::move(done)(*std::move(branch));
}

void MemoryStore::ReserveVersions(int64_t count, Callback<VersionBlock> done) {
  const int64_t begin = next_version_.fetch_add(count, std::memory_order_relaxed);
  std::move(done)(VersionBlock{Version(begin), Version(begin + count)});
}

bool MemoryStore::IsDurable(Version /*version*/) const { return false; }

}  // namespace stepwell
