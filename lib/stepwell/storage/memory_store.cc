#include "stepwell/storage/memory_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "stepwell/array/append.h"
#include "stepwell/storage/errors.h"

namespace stepwell {
namespace {

// Without its arrays, which may outlive it.
int64_t RecordBytes(const StoredSnapshot& snapshot) {
  int64_t bytes = MemoryStore::kBytesPerSnapshot;
  for (const auto& [key, value] : *snapshot.record.labels) {
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
  if (used_bytes_ > max_bytes_ - bytes) return MemoryLimit(bytes, used_bytes_, max_bytes_);
  std::optional<Version> before;  // Most often the parent, in a batch of many.
  for (const auto& snapshot : batch.snapshots) {
    const std::optional<Version> parent = snapshot->record.parent;
    if (parent.has_value() && parent != before) {
      absl::Status present = CheckPresent(*parent, batch);
      if (!present.ok()) return present;
    }
    before = snapshot->record.version;
  }
  absl::Status allowed = branches_.Check(batch, [this, &batch](Version head) {
    mutex_.AssertReaderHeld();
    return CheckPresent(head, batch);
  });
  if (!allowed.ok()) return allowed;
  allowed = requests_.Check(batch.requests);
  if (!allowed.ok()) return allowed;
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

absl::Status MemoryStore::Apply(CommitBatch& batch) {
  int64_t bytes = 0;
  for (const auto& snapshot : batch.snapshots) bytes += ByteCount(*snapshot);

  absl::MutexLock lock(&mutex_);
  absl::Status allowed = Check(batch, bytes);
  if (!allowed.ok()) return allowed;
  used_bytes_ += bytes;
  for (std::shared_ptr<const StoredSnapshot>& snapshot : batch.snapshots) tree_.Insert(std::move(snapshot));
  branches_.Apply(batch, [this](BranchMove move) {
    mutex_.AssertHeld();
    if (move.previous.has_value()) tree_.CountHead(*move.previous, -1);
    if (move.head.has_value()) tree_.CountHead(*move.head, +1);
    if (listener_ != nullptr) listener_->OnMove(std::move(move));
  });
  for (const SnapshotUpdate& update : batch.snapshot_updates) Apply(update);
  for (RequestRecord& request : batch.requests) {
    requests_.Remember(std::make_shared<const RequestRecord>(std::move(request)));
  }
  return absl::OkStatus();
}

// Who reads the snapshot now keeps it as it was.
void MemoryStore::Apply(const SnapshotUpdate& update) {
  const std::shared_ptr<const StoredSnapshot>& stored = *tree_.Find(update.version);
  auto changed = std::make_shared<StoredSnapshot>(*stored);
  ApplyTo(changed->record, update);
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
    absl::Status allowed = CheckDrop(version, drop.spares_labelled);
    if (!allowed.ok()) return allowed;
  }
  for (const Version version : drop.versions) tree_.Drop(version, garbage);
  for (const auto& snapshot : garbage.snapshots) used_bytes_ -= RecordBytes(*snapshot);
  used_bytes_ -= garbage.array_bytes;
  if (drop.request.has_value()) {
    drop.request->freed_bytes = garbage.array_bytes;
    requests_.Remember(std::make_shared<const RequestRecord>(*std::move(drop.request)));
  }
  return garbage.array_bytes;
}

absl::Status MemoryStore::CheckDrop(Version version, bool spares_labelled) const {
  const std::shared_ptr<const StoredSnapshot>* stored = tree_.Find(version);
  if (stored == nullptr) return Missing(version);
  if ((*stored)->record.pinned) return SnapshotPinned(version);
  if (spares_labelled && IsLabelled(*(*stored)->record.labels)) return SnapshotLabelled(version);
  if (!tree_.IsHead(version)) return absl::OkStatus();
  return SnapshotIsHead(version, branches_.FindByHead(version)->name);
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
    std::optional<ArrayPart> part = tree_.FindPart(*next, position);
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

void MemoryStore::ReadArrayPart(Version writer, int position, Callback<ArrayPart> done) {
  absl::StatusOr<ArrayPart> part;
  {
    absl::ReaderMutexLock lock(&mutex_);
    std::optional<ArrayPart> found = tree_.FindPart(writer, position);
    part = found.has_value() ? absl::StatusOr<ArrayPart>(*std::move(found)) : Missing(writer);
  }
  std::move(done)(std::move(part));
}

void MemoryStore::ReadBranch(absl::string_view name, Callback<BranchRecord> done) {
  std::optional<BranchRecord> branch;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const BranchRecord* const found = branches_.Find(name);
    if (found != nullptr) branch = *found;
  }
  if (!branch.has_value()) return std::move(done)(BranchNotFound(name));
  std::move(done)(*std::move(branch));
}

void MemoryStore::ReadRequest(absl::string_view id, absl::Time now,
                              Callback<std::shared_ptr<const RequestRecord>> done) {
  std::shared_ptr<const RequestRecord> request;
  {
    absl::ReaderMutexLock lock(&mutex_);
    request = requests_.Find(id, now);
  }
  std::move(done)(std::move(request));
}

void MemoryStore::ScanBranches(absl::string_view prefix, absl::string_view after, size_t limit,
                               Callback<std::vector<BranchRecord>> done) {
  std::vector<BranchRecord> branches;
  {
    absl::ReaderMutexLock lock(&mutex_);
    branches = branches_.Scan(prefix, after, limit);
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

void MemoryStore::RecordModelRevision(ModelRevisionRecord record, DoneCallback done) {
  {
    absl::MutexLock lock(&mutex_);
    std::pair<std::string, int64_t> key(record.model, record.revision);
    model_revisions_.insert_or_assign(std::move(key), std::move(record));
  }
  std::move(done)(absl::OkStatus());
}

void MemoryStore::ReadModelRevisions(Callback<std::vector<ModelRevisionRecord>> done) {
  std::vector<ModelRevisionRecord> records;
  {
    absl::ReaderMutexLock lock(&mutex_);
    for (const auto& [key, record] : model_revisions_) records.push_back(record);
  }
  std::move(done)(std::move(records));
}

void MemoryStore::Checkpoint(std::string /*path*/, Callback<int64_t> done) {
  std::move(done)(BackupUnavailable("memory"));
}

bool MemoryStore::IsDurable(Version /*version*/) const { return false; }

void MemoryStore::SetBranchListener(BranchListener* listener) {
  absl::MutexLock lock(&mutex_);
  listener_ = listener;
}

}  // namespace stepwell
