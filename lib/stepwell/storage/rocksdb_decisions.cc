#include "stepwell/storage/rocksdb_decisions.h"

#include <algorithm>

#include "stepwell/storage/errors.h"

namespace stepwell {
namespace {

// What is counted for a snapshot beside its arrays.
constexpr int64_t kBytesPerSnapshot = 512;

// RocksDB tells the size of a value, which has a header as well, in 32 bits.
constexpr int64_t kMaxArrayBytes = (int64_t{4} << 30) - 4096;

}  // namespace

void RocksDbStore::Decision::TakeRead() {
  store_->mutex_.AssertHeld();
  for (Watched& watched : reading_) {
    if (store_->overlay_.Unwatch(watched.version, watched.since)) {
      read_.emplace(watched.version, std::move(watched.record));
    }
  }
  reading_.clear();
}

void RocksDbStore::Decision::WatchUnread() {
  store_->mutex_.AssertHeld();
  // What was read before is read again: it is not watched any more.
  for (const auto& [version, record] : read_) unread_.push_back(version);
  read_.clear();
  std::ranges::sort(unread_);
  unread_.erase(std::unique(unread_.begin(), unread_.end()), unread_.end());
  for (const Version version : unread_) {
    reading_.push_back({.version = version, .since = store_->overlay_.Watch(version)});
  }
  unread_.clear();
}

void RocksDbStore::Decision::ReadUnread() {
  for (Watched& watched : reading_) {
    absl::StatusOr<SnapshotRow> row = store_->database_->ReadSnapshot(watched.version);
    if (row.ok()) {
      watched.record = std::make_shared<const SnapshotRecord>(std::move(row->record));
    } else {
      watched.record = row.status();
    }
  }
}

absl::StatusOr<RocksDbStore::Record> RocksDbStore::Decision::FindRecord(Version version) {
  store_->mutex_.AssertHeld();
  if (store_->overlay_.IsDropping(version)) return SnapshotEvicted(version);
  Record record = store_->overlay_.FindRecord(version);
  if (record != nullptr) return record;
  if (!store_->WasHandedOut(version)) return SnapshotUnknown(version);
  const auto read = read_.find(version);
  if (read != read_.end()) return read->second;
  unread_.push_back(version);
  return nullptr;
}

absl::Status RocksDbStore::Decision::CheckPresent(Version version) {
  store_->mutex_.AssertHeld();
  if (store_->overlay_.IsKnown(version) || store_->head_counts_.contains(version)) return absl::OkStatus();
  const absl::StatusOr<Record> record = FindRecord(version);
  if (record.ok() && *record != nullptr) store_->overlay_.Know(version);
  return record.status();
}

bool RocksDbStore::CommitDecision::Makes(Version version) const {
  return std::ranges::any_of(batch_.snapshots,
                             [version](const auto& snapshot) { return snapshot->record.version == version; });
}

absl::Status RocksDbStore::CommitDecision::CheckHead(Version version) {
  return Makes(version) ? absl::OkStatus() : CheckPresent(version);
}

absl::Status RocksDbStore::CommitDecision::Check() {
  store_->mutex_.AssertHeld();
  std::optional<Version> before;  // Most often the parent, in a batch of many.
  for (const auto& snapshot : batch_.snapshots) {
    for (const Array& array : snapshot->written) {
      if (array.byte_count() > kMaxArrayBytes) return ArrayTooLarge(array.byte_count(), kMaxArrayBytes);
    }
    const std::optional<Version> parent = snapshot->record.parent;
    if (parent.has_value() && parent != before) {
      absl::Status present = CheckHead(*parent);
      if (!present.ok()) return present;
    }
    before = snapshot->record.version;
  }
  absl::Status allowed = store_->branches_.Check(batch_, [this](Version head) { return CheckHead(head); });
  if (!allowed.ok()) return allowed;
  allowed = store_->requests_.Check(batch_.requests);
  if (!allowed.ok()) return allowed;
  updated_.clear();
  for (const SnapshotUpdate& update : batch_.snapshot_updates) {
    const absl::StatusOr<Record> record = FindRecord(update.version);
    if (!record.ok()) return record.status();
    updated_.push_back(*record);
  }
  return absl::OkStatus();
}

int64_t RocksDbStore::CommitDecision::Bytes() const {
  int64_t bytes = 0;
  for (const auto& snapshot : batch_.snapshots) {
    bytes += kBytesPerSnapshot;
    for (const Array& array : snapshot->written) bytes += array.byte_count();
  }
  return bytes;
}

absl::Status RocksDbStore::CommitDecision::Decide() {
  store_->mutex_.AssertHeld();
  absl::Status allowed = Check();
  if (!allowed.ok() || IsUnread()) return allowed;
  allowed = store_->committer_->Admit(Bytes());
  if (allowed.ok()) Apply();
  return allowed;
}

void RocksDbStore::CommitDecision::Apply() {
  store_->mutex_.AssertHeld();
  auto work = std::make_unique<CommitWork>(store_);
  work->bytes = Bytes();
  for (std::shared_ptr<const StoredSnapshot>& snapshot : batch_.snapshots) {
    work->versions.push_back(snapshot->record.version);
    store_->unsynced_.insert(snapshot->record.version);
    store_->overlay_.Add(snapshot);
  }
  work->snapshots = std::move(batch_.snapshots);

  std::vector<std::string> changed;
  for (const BranchRecord& branch : batch_.new_branches) changed.push_back(branch.name);
  for (const BranchUpdate& update : batch_.branch_updates) changed.push_back(update.name);
  for (const BranchDeletion& deletion : batch_.branch_deletions) {
    work->deleted_branches.push_back(deletion.name);
  }
  store_->branches_.Apply(batch_, [this](BranchMove move) {
    store_->mutex_.AssertHeld();
    store_->OnMove(std::move(move));
  });
  for (const std::string& name : changed) work->branches.push_back(*store_->branches_.Find(name));

  for (size_t i = 0; i < updated_.size(); ++i) {
    const SnapshotUpdate& update = batch_.snapshot_updates[i];
    // One before may have changed it already.
    const Record latest = store_->overlay_.FindRecord(update.version);
    auto record = std::make_shared<SnapshotRecord>(latest == nullptr ? *updated_[i] : *latest);
    ApplyTo(*record, update);
    store_->overlay_.Update(std::move(record));
  }
  work->updates = std::move(batch_.snapshot_updates);
  work->reads_database = !work->updates.empty();

  for (RequestRecord& request : batch_.requests) {
    work->requests.push_back(std::make_shared<const RequestRecord>(std::move(request)));
    store_->requests_.Remember(work->requests.back(), &work->forgotten);
  }
  if (durability_ == Durability::kSync) {
    completion_ = std::make_shared<SyncCompletion>(std::move(durable_));
    work->completion = completion_;
    work->sync = true;
  }
  store_->committer_->Push(std::move(work));
}

void RocksDbStore::CommitDecision::Tell(const absl::Status& status) {
  std::move(visible_)(status);
  if (!status.ok()) return;
  if (completion_ != nullptr) {
    completion_->OnVisible();
  } else {
    std::move(durable_)(absl::OkStatus());
  }
}

absl::Status RocksDbStore::DropDecision::Check(Version version) {
  store_->mutex_.AssertHeld();
  const absl::StatusOr<Record> record = FindRecord(version);
  if (!record.ok()) return record.status();
  if (*record != nullptr && (*record)->pinned) return SnapshotPinned(version);
  if (*record != nullptr && drop_.spares_labelled && IsLabelled(*(*record)->labels)) {
    return SnapshotLabelled(version);
  }
  if (!store_->head_counts_.contains(version)) return absl::OkStatus();
  return SnapshotIsHead(version, store_->branches_.FindByHead(version)->name);
}

absl::Status RocksDbStore::DropDecision::Decide() {
  store_->mutex_.AssertHeld();
  for (const Version version : drop_.versions) {
    absl::Status allowed = Check(version);
    if (!allowed.ok()) return allowed;
  }
  if (IsUnread()) return absl::OkStatus();
  absl::Status admitted = store_->committer_->Admit(0);
  if (!admitted.ok()) return admitted;
  for (const Version version : drop_.versions) store_->overlay_.BeginDrop(version);
  auto work = std::make_unique<DropWork>(store_, std::move(drop_), std::exchange(done_, nullptr));
  work->sync = durability_ == Durability::kSync;
  work->awaited = true;
  store_->committer_->Push(std::move(work));
  return absl::OkStatus();
}

// What was allowed, the committer tells of.
void RocksDbStore::DropDecision::Tell(const absl::Status& status) {
  if (!status.ok()) std::move(done_)(status);
}

}  // namespace stepwell
