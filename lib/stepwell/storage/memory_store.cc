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

absl::Status MemoryStore::Admit(int64_t bytes) {
  const int64_t used = used_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (used <= options_.max_bytes - bytes) return absl::OkStatus();
  used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  return MemoryLimit(bytes, used, options_.max_bytes);
}

absl::Status MemoryStore::CheckBranches(const CommitBatch& batch) const {
  absl::flat_hash_set<absl::string_view>
      named;  // A batch changes a branch once: the second would not see the first.
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

void MemoryStore::AddSnapshots(absl::InlinedVector<NewSnapshot, 1> snapshots) {
  for (NewSnapshot& snapshot : snapshots) {
    const Version version = snapshot.record->version;
    Shard& shard = ShardOf(version);
    absl::MutexLock lock(&shard.mutex);
    shard.snapshots.emplace(version, std::move(snapshot));
  }
}

absl::Status MemoryStore::Apply(CommitBatch batch) {
  if (batch.new_branches.empty() && batch.branch_moves.empty()) {
    AddSnapshots(std::move(batch.snapshots));
    return absl::OkStatus();
  }
  // Nobody learns a version of the batch before its head or its reply does, so the snapshots may come first.
  absl::MutexLock lock(&branches_mutex_);
  const absl::Status allowed = CheckBranches(batch);
  if (!allowed.ok()) return allowed;
  AddSnapshots(std::move(batch.snapshots));
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
  int64_t bytes = 0;
  for (const NewSnapshot& snapshot : batch.snapshots) bytes += ByteCount(snapshot);
  absl::Status status = Admit(bytes);
  if (status.ok()) {
    status = Apply(std::move(batch));
    if (!status.ok()) used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  std::move(visible)(status);
  if (status.ok()) std::move(durable)(absl::OkStatus());
}

void MemoryStore::ReadSnapshot(Version version, Callback<std::shared_ptr<const SnapshotRecord>> done) {
  std::shared_ptr<const SnapshotRecord> record;
  {
    Shard& shard = ShardOf(version);
    absl::ReaderMutexLock lock(&shard.mutex);
    const auto found = shard.snapshots.find(version);
    if (found != shard.snapshots.end()) record = found->second.record;
  }
  if (record == nullptr) return std::move(done)(SnapshotUnknown(version));
  std::move(done)(std::move(record));
}

void MemoryStore::ReadArray(Version writer, int position, Callback<Array> done) {
  std::optional<Array> array;
  {
    Shard& shard = ShardOf(writer);
    absl::ReaderMutexLock lock(&shard.mutex);
    const auto found = shard.snapshots.find(writer);
    if (found != shard.snapshots.end()) {
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
    absl::ReaderMutexLock lock(&branches_mutex_);
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
