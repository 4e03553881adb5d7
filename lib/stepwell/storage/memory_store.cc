#include "stepwell/storage/memory_store.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "stepwell/array/append.h"
#include "stepwell/storage/errors.h"

namespace stepwell {
namespace {

// Without its arrays, which may outlive it.
int64_t RecordBytes(const StoredSnapshot& snapshot) {
  int64_t bytes = MemoryStore::kBytesPerSnapshot;
  for (const auto& [key, value] : snapshot.record.labels) {
    bytes += static_cast<int64_t>(key.size() + value.size());
  }
  return bytes;
}

int64_t ByteCount(const StoredSnapshot& snapshot) {
  int64_t bytes = RecordBytes(snapshot);
  for (const Array& array : snapshot.written) bytes += array.byte_count();
  return bytes;
}

std::shared_ptr<const SnapshotRecord> RecordOf(const std::shared_ptr<const StoredSnapshot>& snapshot) {
  return {snapshot, &snapshot->record};
}

}  // namespace

absl::Status MemoryStore::Check(const CommitBatch& batch, int64_t bytes) const {
  if (used_bytes_ > options_.max_bytes - bytes) return MemoryLimit(bytes, used_bytes_, options_.max_bytes);
  std::optional<Version> before;  // Most often the parent, in a batch of many.
  for (const auto& snapshot : batch.snapshots) {
    const std::optional<Version> parent = snapshot->record.parent;
    if (parent.has_value() && parent != before) {
      absl::Status present = CheckPresent(*parent, batch);
      if (!present.ok()) return present;
    }
    before = snapshot->record.version;
  }
  // A batch changes a branch once: the second change would not see the first.
  absl::flat_hash_set<absl::string_view> changed;
  for (const BranchRecord& branch : batch.new_branches) {
    const auto existing = branches_.find(branch.name);
    if (existing != branches_.end() && existing->second.expire_time > branch.create_time)
      return BranchExists(branch.name);
    absl::Status present = CheckPresent(branch.head, batch);
    if (!present.ok()) return present;
    if (!changed.insert(branch.name).second) return BranchChangedTwice(branch.name);
  }
  for (const BranchUpdate& update : batch.branch_updates) {
    absl::Status allowed = CheckHead(update.name, update.expected_head);
    if (!allowed.ok()) return allowed;
    if (update.head.has_value()) {
      absl::Status present = CheckPresent(*update.head, batch);
      if (!present.ok()) return present;
    }
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
    if (tree_.Find(update.version) == nullptr) return Missing(update.version);
  }
  return absl::OkStatus();
}

absl::Status MemoryStore::CheckPresent(Version version, const CommitBatch& batch) const {
  const bool present =
      tree_.Find(version) != nullptr || std::ranges::any_of(batch.snapshots, [version](const auto& snapshot) {
        return snapshot->record.version == version;
      });
  return present ? absl::OkStatus() : Missing(version);
}

absl::Status MemoryStore::Missing(Version version) const {
  return tree_.WasDropped(version) ? SnapshotEvicted(version) : SnapshotUnknown(version);
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
  for (std::shared_ptr<const StoredSnapshot>& snapshot : batch.snapshots) tree_.Insert(std::move(snapshot));
  for (BranchRecord& branch : batch.new_branches) ApplyNew(branch);
  for (BranchUpdate& update : batch.branch_updates) Apply(update);
  for (BranchDeletion& deletion : batch.branch_deletions) Apply(deletion);
  for (const SnapshotUpdate& update : batch.snapshot_updates) Apply(update);
  for (RequestRecord& request : batch.requests) Remember(std::move(request));
  return absl::OkStatus();
}

void MemoryStore::ApplyNew(BranchRecord& branch) {
  const auto [place, is_new] = branches_.try_emplace(branch.name);
  if (!is_new) {
    const Version expired = place->second.head;
    tree_.CountHead(expired, -1);
    if (listener_ != nullptr) listener_->OnMove({branch.name, std::nullopt, expired, branch.create_time});
  }
  tree_.CountHead(branch.head, +1);
  if (listener_ != nullptr) listener_->OnMove({branch.name, branch.head, std::nullopt, branch.create_time});
  place->second = std::move(branch);
}

void MemoryStore::Apply(BranchUpdate& update) {
  BranchRecord& branch = branches_.find(update.name)->second;
  if (update.head.has_value()) {
    if (listener_ != nullptr) {
      listener_->OnMove({std::move(update.name), update.head, branch.head, update.time});
    }
    tree_.CountHead(branch.head, -1);
    tree_.CountHead(*update.head, +1);
    branch.head = *update.head;
    branch.update_time = update.time;
  }
  if (update.labels.has_value()) branch.labels = *std::move(update.labels);
  if (update.expire_time.has_value()) branch.expire_time = *update.expire_time;
}

void MemoryStore::Apply(BranchDeletion& deletion) {
  const auto branch = branches_.find(deletion.name);
  const Version head = branch->second.head;
  tree_.CountHead(head, -1);
  branches_.erase(branch);
  if (listener_ != nullptr) {
    listener_->OnMove({std::move(deletion.name), std::nullopt, head, deletion.time});
  }
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
  const std::shared_ptr<const StoredSnapshot>& stored = *tree_.Find(update.version);
  auto changed = std::make_shared<StoredSnapshot>(*stored);
  if (update.labels.has_value()) changed->record.labels = *update.labels;
  if (update.pinned.has_value()) changed->record.pinned = *update.pinned;
  used_bytes_ += ByteCount(*changed) - ByteCount(*stored);
  tree_.Replace(std::move(changed));
}

void MemoryStore::Commit(CommitBatch batch, Durability durability, DoneCallback visible,
                         DoneCallback durable) {
  if (durability == Durability::kSync) return std::move(visible)(DurabilityUnavailable("memory"));
  const absl::Status status = Apply(batch);
  std::move(visible)(status);
  if (status.ok()) std::move(durable)(absl::OkStatus());
}

absl::StatusOr<int64_t> MemoryStore::Drop(SnapshotDrop& drop) {
  SnapshotTree::Garbage garbage;  // Freed after the lock: it may be large.
  absl::MutexLock lock(&mutex_);
  for (const Version version : drop.versions) {
    absl::Status allowed = CheckDrop(version);
    if (!allowed.ok()) return allowed;
  }
  for (const Version version : drop.versions) tree_.Drop(version, garbage);
  for (const auto& snapshot : garbage.snapshots) used_bytes_ -= RecordBytes(*snapshot);
  used_bytes_ -= garbage.array_bytes;
  if (drop.request.has_value()) {
    drop.request->freed_bytes = garbage.array_bytes;
    Remember(*std::move(drop.request));
  }
  return garbage.array_bytes;
}

absl::Status MemoryStore::CheckDrop(Version version) const {
  const std::shared_ptr<const StoredSnapshot>* stored = tree_.Find(version);
  if (stored == nullptr) return Missing(version);
  if ((*stored)->record.pinned) return SnapshotPinned(version);
  if (!tree_.IsHead(version)) return absl::OkStatus();
  const auto branch =
      std::ranges::find(branches_, version, [](const auto& entry) { return entry.second.head; });
  return SnapshotIsHead(version, branch->first);
}

void MemoryStore::DropSnapshots(SnapshotDrop drop, Durability durability, Callback<int64_t> done) {
  if (durability == Durability::kSync) return std::move(done)(DurabilityUnavailable("memory"));
  std::move(done)(Drop(drop));
}

absl::StatusOr<std::shared_ptr<const StoredSnapshot>> MemoryStore::Find(Version version) const {
  absl::ReaderMutexLock lock(&mutex_);
  const std::shared_ptr<const StoredSnapshot>* stored = tree_.Find(version);
  if (stored == nullptr) return Missing(version);
  return *stored;
}

void MemoryStore::ReadSnapshot(Version version, Callback<std::shared_ptr<const SnapshotRecord>> done) {
  const auto snapshot = Find(version);
  if (!snapshot.ok()) return std::move(done)(snapshot.status());
  std::move(done)(RecordOf(*snapshot));
}

absl::StatusOr<std::vector<Array>> MemoryStore::FindParts(Version writer, int position) const {
  std::vector<Array> parts;  // The last first.
  absl::ReaderMutexLock lock(&mutex_);
  for (std::optional<Version> next = writer; next.has_value();) {
    std::optional<SnapshotTree::Part> part = tree_.FindPart(*next, position);
    if (!part.has_value()) return Missing(writer);
    parts.push_back(std::move(part->array));
    next = part->previous;
  }
  std::ranges::reverse(parts);
  return parts;
}

void MemoryStore::ReadArray(Version writer, int position, Callback<Array> done) {
  absl::StatusOr<std::vector<Array>> parts = FindParts(writer, position);
  if (!parts.ok()) return std::move(done)(parts.status());
  if (parts->size() == 1) return std::move(done)(std::move(parts->front()));
  std::move(done)(ConcatenateRows(*parts));
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
  absl::Status missing;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const std::shared_ptr<const StoredSnapshot>* found = tree_.Find(version);
    if (found == nullptr) missing = Missing(version);
    while (found != nullptr && records.size() < limit) {
      records.push_back(RecordOf(*found));
      const std::optional<Version> parent = tree_.Parent((*found)->record.version);
      found = parent.has_value() ? tree_.Find(*parent) : nullptr;
    }
  }
  if (!missing.ok()) return std::move(done)(std::move(missing));
  std::move(done)(std::move(records));
}

void MemoryStore::ScanSnapshots(Version before, size_t limit,
                                Callback<std::vector<std::shared_ptr<const SnapshotRecord>>> done) {
  std::vector<std::shared_ptr<const SnapshotRecord>> records;
  {
    absl::ReaderMutexLock lock(&mutex_);
    for (const auto& stored : tree_.NewestBefore(before, limit)) records.push_back(RecordOf(stored));
  }
  std::move(done)(std::move(records));
}

void MemoryStore::ReserveVersions(int64_t count, Callback<VersionBlock> done) {
  const int64_t begin = next_version_.fetch_add(count, std::memory_order_relaxed);
  std::move(done)(VersionBlock{Version(begin), Version(begin + count)});
}

bool MemoryStore::IsDurable(Version /*version*/) const { return false; }

void MemoryStore::SetBranchListener(BranchListener* listener) {
  absl::MutexLock lock(&mutex_);
  listener_ = listener;
}

}  // namespace stepwell
