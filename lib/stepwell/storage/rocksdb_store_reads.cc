#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "rocksdb/snapshot.h"
#include "stepwell/array/append.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_keys.h"
#include "stepwell/storage/rocksdb_store.h"

namespace stepwell {

// The database as it is at one moment, with what is visible and not in it. Some of that may be in it, too.
struct RocksDbStore::View {
  explicit View(const RocksDbStore& store) : database(&store.database_->db()) {
    store.mutex_.AssertHeld();
    updated = store.overlay_.UpdatedRecords();
    dropping = store.overlay_.dropping();
  }

  // The record that is to be told of a snapshot, of which the database has `row`; null: it is dropped.
  Record Tell(SnapshotRow row) const {
    const Version version = row.record.version;
    if (dropping.contains(version)) return nullptr;
    const auto found = updated.find(version);
    if (found != updated.end()) return found->second;
    return std::make_shared<const SnapshotRecord>(std::move(row.record));
  }

  rocksdb::ManagedSnapshot database;
  absl::flat_hash_map<Version, Record> updated;
  absl::flat_hash_set<Version> dropping;
};

template <typename T>
void RocksDbStore::ReadLater(absl::AnyInvocable<absl::StatusOr<T>()> read, Callback<T> done) {
  auto shared = std::make_shared<Callback<T>>(std::move(done));
  WorkerPool::Task task = [shared, read = std::move(read)]() mutable { std::move (*shared)(read()); };
  if (!readers_->TrySchedule(task)) std::move (*shared)(ReadQueueFull(max_queued_reads_));
}

void RocksDbStore::ReadSnapshot(Version version, Callback<Record> done) {
  absl::StatusOr<Record> known = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (overlay_.IsDropping(version)) {
      known = SnapshotEvicted(version);
    } else if (!WasHandedOut(version)) {
      known = SnapshotUnknown(version);
    } else {
      known = overlay_.FindRecord(version);
    }
  }
  if (!known.ok() || *known != nullptr) return std::move(done)(std::move(known));
  ReadLater<Record>(
      [this, version]() -> absl::StatusOr<Record> {
        absl::StatusOr<SnapshotRow> row = database_->ReadSnapshot(version);
        if (!row.ok()) return row.status();
        return std::make_shared<const SnapshotRecord>(std::move(row->record));
      },
      std::move(done));
}

void RocksDbStore::ReadArray(Version writer, int position, Callback<Array> done) {
  absl::StatusOr<std::optional<Array>> known = std::nullopt;
  {
    absl::MutexLock lock(&mutex_);
    const RocksDbOverlay::Stored pending = overlay_.FindPending(writer);
    std::optional<ArrayPart> part = pending == nullptr ? std::nullopt : pending->PartAt(position);
    if (part.has_value() && !part->previous.has_value()) known = std::move(part->array);
    if (!WasHandedOut(writer)) known = SnapshotUnknown(writer);
  }
  if (!known.ok()) return std::move(done)(known.status());
  if (known->has_value()) return std::move(done)(**std::move(known));
  ReadLater<Array>([this, writer, position] { return FindArray(writer, position); }, std::move(done));
}

absl::StatusOr<ArrayPart> RocksDbStore::FindPart(Version writer, int position) const {
  RocksDbOverlay::Stored pending;
  {
    absl::MutexLock lock(&mutex_);
    if (!WasHandedOut(writer)) return SnapshotUnknown(writer);
    pending = overlay_.FindPending(writer);
  }
  // What is not pending any more is in the database.
  if (pending == nullptr) return database_->ReadArray(writer, position);
  std::optional<ArrayPart> written = pending->PartAt(position);
  if (!written.has_value()) return SnapshotUnknown(writer);
  return *std::move(written);
}

void RocksDbStore::ReadArrayPart(Version writer, int position, Callback<ArrayPart> done) {
  ReadLater<ArrayPart>([this, writer, position] { return FindPart(writer, position); }, std::move(done));
}

absl::StatusOr<Array> RocksDbStore::FindArray(Version writer, int position) const {
  std::vector<Array> parts;  // The last first.
  for (std::optional<Version> next = writer; next.has_value();) {
    absl::StatusOr<ArrayPart> part = FindPart(*next, position);
    if (!part.ok()) return part.status();
    parts.push_back(std::move(part->array));
    next = part->previous;
  }
  if (parts.size() == 1) return std::move(parts.front());
  std::ranges::reverse(parts);
  return ConcatenateRows(parts);
}

absl::StatusOr<RocksDbStore::Records> RocksDbStore::FindAncestors(Version version, size_t limit) const {
  Records records;
  std::optional<View> view;
  Version at = version;
  {
    absl::MutexLock lock(&mutex_);
    if (overlay_.IsDropping(version)) return SnapshotEvicted(version);
    if (!WasHandedOut(version)) return SnapshotUnknown(version);
    view.emplace(*this);
    // What is pending hangs under the parent that it was committed with: a drop of that would come later.
    for (RocksDbOverlay::Stored pending = overlay_.FindPending(at); pending != nullptr;) {
      if (records.size() == limit) return records;
      if (!overlay_.IsDropping(at)) records.push_back(overlay_.FindRecord(at));
      if (!pending->record.parent.has_value()) return records;
      at = *pending->record.parent;
      pending = overlay_.FindPending(at);
    }
  }
  const rocksdb::Snapshot* const database = view->database.snapshot();
  while (at != Version(0) && records.size() < limit) {
    absl::StatusOr<std::optional<PlaceRow>> place = database_->ReadPlace(at, database);
    if (!place.ok()) return place.status();
    if (place->has_value() && (*place)->is_skeleton && at != version) {
      at = (*place)->parent;
      continue;
    }
    absl::StatusOr<SnapshotRow> row = database_->ReadSnapshot(at, database);
    if (!row.ok() && (at == version || !absl::IsNotFound(row.status()))) return row.status();
    if (!row.ok()) {
      return RecordDamaged(absl::StrCat("the record of version ", at.value()),
                           "it is missing, and others hang under it");
    }
    const Version parent = place->has_value() ? (*place)->parent : row->record.parent.value_or(Version(0));
    Record record = view->Tell(*std::move(row));
    if (record != nullptr) records.push_back(std::move(record));
    at = parent;
  }
  return records;
}

void RocksDbStore::ScanAncestors(Version version, size_t limit, Callback<Records> done) {
  ReadLater<Records>([this, version, limit] { return FindAncestors(version, limit); }, std::move(done));
}

absl::StatusOr<RocksDbStore::Records> RocksDbStore::FindSnapshots(Version before, size_t limit) const {
  if (before <= Version(1)) return Records();
  Records pending;
  std::optional<View> view;
  {
    absl::MutexLock lock(&mutex_);
    view.emplace(*this);
    pending = overlay_.NewestBefore(before, limit);
  }
  Records records;
  auto next_pending = pending.begin();
  const std::unique_ptr<rocksdb::Iterator> rows =
      database_->Iterate(Family::kSnapshots, view->database.snapshot());
  const std::string end = SnapshotKey(before);
  for (rows->SeekForPrev(end); rows->Valid() && records.size() < limit; rows->Prev()) {
    const Version version = SnapshotKeyVersion({rows->key().data(), rows->key().size()});
    if (version >= before) continue;
    for (; next_pending != pending.end() && (*next_pending)->version > version; ++next_pending) {
      records.push_back(*next_pending);
    }
    if (next_pending != pending.end() && (*next_pending)->version == version) continue;
    absl::StatusOr<SnapshotRow> row = DecodeSnapshot(version, {rows->value().data(), rows->value().size()});
    if (!row.ok()) return row.status();
    Record record = view->Tell(*std::move(row));
    if (record != nullptr) records.push_back(std::move(record));
  }
  if (!rows->status().ok()) return database_->ReadError(rows->status(), "a snapshot's record");
  records.insert(records.end(), next_pending, pending.end());
  if (records.size() > limit) records.resize(limit);
  return records;
}

void RocksDbStore::ScanSnapshots(Version before, size_t limit, Callback<Records> done) {
  ReadLater<Records>([this, before, limit] { return FindSnapshots(before, limit); }, std::move(done));
}

void RocksDbStore::ReadBranch(absl::string_view name, Callback<BranchRecord> done) {
  std::optional<BranchRecord> branch;
  {
    absl::MutexLock lock(&mutex_);
    const BranchRecord* const found = branches_.Find(name);
    if (found != nullptr) branch = *found;
  }
  if (!branch.has_value()) return std::move(done)(BranchNotFound(name));
  std::move(done)(*std::move(branch));
}

void RocksDbStore::ReadRequest(absl::string_view id, absl::Time now,
                               Callback<std::shared_ptr<const RequestRecord>> done) {
  std::shared_ptr<const RequestRecord> request;
  {
    absl::MutexLock lock(&mutex_);
    request = requests_.Find(id, now);
  }
  std::move(done)(std::move(request));
}

void RocksDbStore::ScanBranches(absl::string_view prefix, absl::string_view after, size_t limit,
                                Callback<std::vector<BranchRecord>> done) {
  std::vector<BranchRecord> branches;
  {
    absl::MutexLock lock(&mutex_);
    branches = branches_.Scan(prefix, after, limit);
  }
  std::move(done)(std::move(branches));
}

void RocksDbStore::ReadModelRevisions(Callback<std::vector<ModelRevisionRecord>> done) {
  ReadLater<std::vector<ModelRevisionRecord>>([this] { return database_->ReadModelRevisions(); },
                                              std::move(done));
}

}  // namespace stepwell
