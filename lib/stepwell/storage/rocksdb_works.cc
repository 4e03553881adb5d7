#include "stepwell/storage/rocksdb_works.h"

#include <iterator>

#include "absl/container/btree_map.h"
#include "rocksdb/write_batch.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_drop.h"
#include "stepwell/storage/rocksdb_keys.h"

namespace stepwell {
namespace {

rocksdb::Slice SliceOf(absl::Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

void AddRequests(const RocksDbDatabase& database, const std::vector<RememberedRequests::Request>& requests,
                 const std::vector<RememberedRequests::Request>& forgotten, rocksdb::WriteBatch& batch) {
  // First what goes: an id that comes again in the same microsecond has the same key.
  for (const auto& request : forgotten) {
    batch.Delete(database.family(Family::kRequests), RequestKey(request->time, request->id));
  }
  for (const auto& request : requests) {
    batch.Put(database.family(Family::kRequests), RequestKey(request->time, request->id),
              EncodeRequest(*request));
  }
}

absl::Status RocksDbStore::CommitWork::AddTo(rocksdb::WriteBatch& batch) {
  const RocksDbDatabase& database = *store_->database_;
  // Rows that are changed: what a record does not say stays as it is.
  absl::btree_map<Version, SnapshotRow> rows;
  for (SnapshotUpdate& update : updates) {
    auto row = rows.find(update.version);
    if (row == rows.end()) {
      absl::StatusOr<SnapshotRow> read = database.ReadSnapshot(update.version);
      if (!read.ok()) return read.status();
      row = rows.emplace(update.version, *std::move(read)).first;
    }
    ApplyTo(row->second.record, update);
  }
  for (const auto& snapshot : snapshots) AddSnapshot(*snapshot, batch);
  for (const auto& [version, row] : rows) {
    batch.Put(database.family(Family::kSnapshots), SnapshotKey(version), EncodeSnapshot(row));
  }
  for (const std::string& name : deleted_branches) batch.Delete(database.family(Family::kBranches), name);
  for (const BranchRecord& branch : branches) {
    batch.Put(database.family(Family::kBranches), branch.name, EncodeBranch(branch));
  }
  AddRequests(database, requests, forgotten, batch);
  return absl::OkStatus();
}

void RocksDbStore::CommitWork::AddSnapshot(const StoredSnapshot& snapshot, rocksdb::WriteBatch& batch) const {
  const RocksDbDatabase& database = *store_->database_;
  const SnapshotRecord& record = snapshot.record;
  batch.Put(database.family(Family::kSnapshots), SnapshotKey(record.version), EncodeSnapshot(snapshot));
  if (record.parent.has_value()) {
    batch.Put(database.family(Family::kTree), EdgeKey(*record.parent, record.version), rocksdb::Slice());
  }
  size_t slot = 0;
  for (int position = 0; position < std::ssize(record.writers); ++position) {
    if (record.writers[static_cast<size_t>(position)] != record.version) continue;
    const Array& array = snapshot.written[slot++];
    const ArrayChain* const chain = record.chains.Find(position);
    const std::string key = ArrayKey(record.version, position);
    const std::string header =
        EncodeArrayHeader(record.version, position, array,
                          chain == nullptr ? std::nullopt : std::make_optional(chain->previous));
    const rocksdb::Slice key_parts[] = {key};
    const rocksdb::Slice value_parts[] = {header, SliceOf(array.bytes())};
    batch.Put(database.family(Family::kArrays), rocksdb::SliceParts(key_parts, 1),
              rocksdb::SliceParts(value_parts, 2));
  }
}

void RocksDbStore::CommitWork::OnWritten() {
  store_->mutex_.AssertHeld();
  for (const Version version : versions) store_->overlay_.OnWritten(version);
  for (const SnapshotUpdate& update : updates) store_->overlay_.OnUpdateWritten(update.version);
}

// What is written need not stay in memory until it is synced.
void RocksDbStore::CommitWork::AfterWritten() {
  snapshots.clear();
  updates.clear();
  branches.clear();
  requests.clear();
  forgotten.clear();
}

void RocksDbStore::CommitWork::OnSettled(const absl::Status& how) {
  store_->mutex_.AssertHeld();
  if (!how.ok()) return;
  for (const Version version : versions) store_->unsynced_.erase(version);
}

void RocksDbStore::CommitWork::AfterSettled(const absl::Status& how) {
  if (completion != nullptr) completion->OnSettled(how);
}

absl::Status RocksDbStore::DropWork::AddTo(rocksdb::WriteBatch& batch) {
  RocksDbDrop drop(store_->database_.get());
  for (const Version version : drop_.versions) {
    const absl::Status dropped = drop.Drop(version);
    if (!dropped.ok()) return dropped;
  }
  drop.AddTo(batch);
  freed_bytes_ = drop.freed_bytes();
  if (!drop_.request.has_value()) return absl::OkStatus();
  drop_.request->freed_bytes = freed_bytes_;
  const auto request = std::make_shared<const RequestRecord>(*std::move(drop_.request));
  std::vector<RememberedRequests::Request> forgotten;
  {
    absl::MutexLock lock(&store_->mutex_);
    store_->requests_.Remember(request, &forgotten);
  }
  AddRequests(*store_->database_, {request}, forgotten, batch);
  return absl::OkStatus();
}

void RocksDbStore::DropWork::OnWritten() {
  store_->mutex_.AssertHeld();
  is_written_ = true;
  for (const Version version : drop_.versions) store_->overlay_.EndDrop(version);
}

void RocksDbStore::DropWork::AfterWritten() {
  if (!sync) std::exchange(done_, nullptr)(freed_bytes_);
}

void RocksDbStore::DropWork::OnSettled(const absl::Status& how) {
  store_->mutex_.AssertHeld();
  if (how.ok() || is_written_) return;
  // They are there after all.
  for (const Version version : drop_.versions) store_->overlay_.EndDrop(version);
}

void RocksDbStore::DropWork::AfterSettled(const absl::Status& how) {
  if (done_ == nullptr) return;
  if (how.ok()) return std::move(done_)(freed_bytes_);
  const absl::Status refusal = is_written_ ? absl::OkStatus() : store_->committer_->refusal();
  std::move(done_)(refusal.ok() ? how : refusal);
}

absl::Status RocksDbStore::ReserveWork::AddTo(rocksdb::WriteBatch& batch) {
  batch.Put(store_->database_->family(Family::kMeta), kReservedEndKey, VersionValue(end_));
  return absl::OkStatus();
}

absl::Status RocksDbStore::RevisionWork::AddTo(rocksdb::WriteBatch& batch) {
  batch.Put(store_->database_->family(Family::kMeta), ModelRevisionKey(record_.model, record_.revision),
            EncodeModelRevision(record_));
  return absl::OkStatus();
}

void RocksDbStore::ReserveWork::OnSettled(const absl::Status& how) {
  store_->mutex_.AssertHeld();
  store_->reserving_ = false;
  auto& waiting = store_->waiting_;
  if (!how.ok()) {
    for (auto& [count, done] : waiting) refused_.push_back(std::move(done));
    waiting.clear();
    return;
  }
  store_->reserved_end_ = end_;
  for (; !waiting.empty(); waiting.pop_front()) {
    const std::optional<VersionBlock> block = store_->TakeVersions(waiting.front().first);
    if (!block.has_value()) break;
    answers_.emplace_back(std::move(waiting.front().second), *block);
  }
  if (!waiting.empty()) store_->StartReserving();
}

void RocksDbStore::ReserveWork::AfterSettled(const absl::Status& /*how*/) {
  for (auto& [done, block] : answers_) std::move(done)(block);
  for (auto& done : refused_) std::move(done)(store_->committer_->refusal());
}

}  // namespace stepwell
