#include "stepwell/storage/memory_store.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "stepwell/storage/errors.h"

namespace stepwell {
namespace {

int64_t ByteCount(const StoredSnapshot& snapshot) {
  int64_t bytes = MemoryStore::kBytesPerSnapshot + snapshot.record.new_bytes;
  for (const auto& [key, value] : snapshot.record.labels) {
    bytes += static_cast<int64_t>(key.size() + value.size());
  }
  return bytes;
}

std::shared_ptr<const SnapshotRecord> RecordOf(const std::shared_ptr<const StoredSnapshot>& snapshot) {
  return {snapshot, &snapshot->record};
}

}  // namespace

absl::Status MemoryStore::Check(const CommitBatch& batch, int64_t bytes) const {
  if (used_bytes_ > options_.max_bytes - bytes) return MemoryLimit(bytes, used_bytes_, options_.max_bytes);
  // A batch changes a branch once: the second change would not see the first.
  absl::flat_hash_set<absl::string_view> changed;
  for (const BranchRecord& branch : batch.new_branches) {
    const auto existing = branches_.find(branch.name);
    if (existing != branches_.end() && existing->second.expire_time > branch.create_time)
      return BranchExists(branch.name);
    if (!changed.insert(branch.name).second) return BranchChangedTwice(branch.name);
  }
  for (const BranchUpdate& update : batch.branch_updates) {
    absl::Status allowed = CheckHead(update.name, update.expected_head);
    if (!allowed.ok()) return allowed;
    if (!changed.insert(update.name).second) return BranchChangedTwice(update.name);
  }
  for (const BranchDeletion& deletion : batch.branch_deletions) {
    absl::Status allowed = CheckHead(deletion.name, deletion.expected_head);
    if (!allowed.ok()) return allowed;
    const absl::Time expire_time = branches_.find(deletion.name)->second.expire_time;
    if (deletion.expired_by.has_value() && expire_time > *deletion.expired_by) {
      return BranchNotFound(deletion.name);
    }
    if (!changed.insert(deletion.name).second) return BranchChangedTwice(deletion.name);
  }
  for (const RequestRecord& request : batch.requests) {
    if (FindRequest(request.id, request.time) != nullptr) {
      return RequestIdReused(absl::StatusCode::kAlreadyExists, request.id);
    }
  }
  for (const SnapshotUpdate& update : batch.snapshot_updates) {
    if (!snapshots_.contains(update.version)) return SnapshotUnknown(update.version);
  }
  return absl::OkStatus();
}

absl::Status MemoryStore::CheckHead(const std::string& name, std::optional<Version> expected_head) const {
  const auto branch = branches_.find(name);
  if (branch == branches_.end()) return BranchNotFound(name);
  const Version head = branch->second.head;
  if (expected_head.value_or(head) != head) return HeadMoved(name, *expected_head, head);
  return absl::OkStatus();
}

absl::Status MemoryStore::Apply(CommitBatch& batch) {
  int64_t bytes = 0;
  for (const auto& snapshot : batch.snapshots) bytes += ByteCount(*snapshot);

  absl::MutexLock lock(&mutex_);
  absl::Status allowed = Check(batch, bytes);
  if (!allowed.ok()) return allowed;
  used_bytes_ += bytes;
  for (std::shared_ptr<const StoredSnapshot>& snapshot : batch.snapshots) {
    const Version version = snapshot->record.version;
    snapshots_.emplace_hint(snapshots_.end(), version, std::move(snapshot));
  }
  for (BranchRecord& branch : batch.new_branches) {
    const std::string name = branch.name;
    branches_.insert_or_assign(name, std::move(branch));
  }
  for (BranchUpdate& update : batch.branch_updates) {
    BranchRecord& branch = branches_.find(update.name)->second;
    if (update.head.has_value()) {
      branch.head = *update.head;
      branch.update_time = update.time;
    }
    if (update.labels.has_value()) branch.labels = *std::move(update.labels);
    if (update.expire_time.has_value()) branch.expire_time = *update.expire_time;
  }
  for (const BranchDeletion& deletion : batch.branch_deletions) branches_.erase(deletion.name);
  for (const SnapshotUpdate& update : batch.snapshot_updates) Apply(update);
  for (RequestRecord& request : batch.requests) Remember(std::move(request));
  return absl::OkStatus();
}

std::shared_ptr<const RequestRecord> MemoryStore::FindRequest(absl::string_view id, absl::Time now) const {
  const auto found = requests_.find(id);
  if (found == requests_.end() || now - found->second->time > options_.max_request_age) return nullptr;
  return found->second;
}

void MemoryStore::Remember(RequestRecord&& request) {
  const auto remembered = std::make_shared<const RequestRecord>(std::move(request));
  requests_[remembered->id] = remembered;
  requests_by_age_.push_back(remembered);
  while (requests_by_age_.size() > options_.max_requests ||
         remembered->time - requests_by_age_.front()->time > options_.max_request_age) {
    const auto oldest = requests_.find(requests_by_age_.front()->id);
    // The id may have come again since.
    if (oldest != requests_.end() && oldest->second == requests_by_age_.front()) requests_.erase(oldest);
    requests_by_age_.pop_front();
  }
}

// Who reads the snapshot now keeps it as it was.
void MemoryStore::Apply(const SnapshotUpdate& update) {
  std::shared_ptr<const StoredSnapshot>& stored = snapshots_.find(update.version)->second;
  auto changed = std::make_shared<StoredSnapshot>(*stored);
  if (update.labels.has_value()) changed->record.labels = *update.labels;
  if (update.pinned.has_value()) changed->record.pinned = *update.pinned;
  used_bytes_ += ByteCount(*changed) - ByteCount(*stored);
  stored = std::move(changed);
}

void MemoryStore::Commit(CommitBatch batch, Durability durability, DoneCallback visible,
                         DoneCallback durable) {
  if (durability == Durability::kSync) return std::move(visible)(DurabilityUnavailable("memory"));
  const absl::Status status = Apply(batch);
  std::move(visible)(status);
  if (status.ok()) std::move(durable)(absl::OkStatus());
}

std::shared_ptr<const StoredSnapshot> MemoryStore::Find(Version version) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = snapshots_.find(version);
  return found == snapshots_.end() ? nullptr : found->second;
}

void MemoryStore::ReadSnapshot(Version version, Callback<std::shared_ptr<const SnapshotRecord>> done) {
  const std::shared_ptr<const StoredSnapshot> snapshot = Find(version);
  if (snapshot == nullptr) return std::move(done)(SnapshotUnknown(version));
  std::move(done)(RecordOf(snapshot));
}

void MemoryStore::ReadArray(Version writer, int position, Callback<Array> done) {
  const std::shared_ptr<const StoredSnapshot> snapshot = Find(writer);
  if (snapshot == nullptr) return std::move(done)(SnapshotUnknown(writer));
  const auto& writers = snapshot->record.writers;
  const auto at = writers.begin() + position;
  if (position >= std::ssize(writers) || *at != writer) return std::move(done)(SnapshotUnknown(writer));
  std::move(done)(snapshot->written[static_cast<size_t>(std::count(writers.begin(), at, writer))]);
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

void MemoryStore::ReadRequest(absl::string_view id, absl::Time now,
                              Callback<std::shared_ptr<const RequestRecord>> done) {
  std::shared_ptr<const RequestRecord> request;
  {
    absl::ReaderMutexLock lock(&mutex_);
    request = FindRequest(id, now);
  }
  std::move(done)(std::move(request));
}

void MemoryStore::ScanBranches(absl::string_view prefix, absl::string_view after, size_t limit,
                               Callback<std::vector<BranchRecord>> done) {
  std::vector<BranchRecord> branches;
  {
    absl::ReaderMutexLock lock(&mutex_);
    auto at = after < prefix ? branches_.lower_bound(prefix) : branches_.upper_bound(after);
    for (; at != branches_.end() && branches.size() < limit && absl::StartsWith(at->first, prefix); ++at) {
      branches.push_back(at->second);
    }
  }
  std::move(done)(std::move(branches));
}

void MemoryStore::ScanAncestors(Version version, size_t limit,
                                Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) {
  std::vector<std::shared_ptr<const SnapshotRecord>> records;
  {
    absl::ReaderMutexLock lock(&mutex_);
    std::optional<Version> next = version;
    while (next.has_value() && records.size() < limit) {
      const auto found = snapshots_.find(*next);
      if (found == snapshots_.end()) break;
      records.push_back(RecordOf(found->second));
      next = records.back()->parent;
    }
  }
  if (records.empty() && limit > 0) return std::move(done)(SnapshotUnknown(version));
  std::move(done)(std::move(records));
}

void MemoryStore::ScanSnapshots(Version before, size_t limit,
                                Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) {
  std::vector<std::shared_ptr<const SnapshotRecord>> records;
  {
    absl::ReaderMutexLock lock(&mutex_);
    for (auto at = snapshots_.lower_bound(before); at != snapshots_.begin() && records.size() < limit;) {
      records.push_back(RecordOf((--at)->second));
    }
  }
  std::move(done)(std::move(records));
}

void MemoryStore::ReserveVersions(int64_t count, Callback<VersionBlock> done) {
  const int64_t begin = next_version_.fetch_add(count, std::memory_order_relaxed);
  std::move(done)(VersionBlock{Version(begin), Version(begin + count)});
}

bool MemoryStore::IsDurable(Version /*version*/) const { return false; }

}  // namespace stepwell
