#include "stepwell/storage/rocksdb_overlay.h"

#include <utility>

namespace stepwell {

void RocksDbOverlay::Add(Stored snapshot) {
  const Version version = snapshot->record.version;
  pending_.emplace_hint(pending_.end(), version, std::move(snapshot));
  Know(version);
}

void RocksDbOverlay::Update(Record record) {
  Updated& updated = updated_[record->version];
  updated.record = std::move(record);
  ++updated.unwritten;
}

void RocksDbOverlay::OnUpdateWritten(Version version) {
  const auto found = updated_.find(version);
  if (--found->second.unwritten > 0) return;
  updated_.erase(found);
  OnChange(version);
}

void RocksDbOverlay::BeginDrop(Version version) {
  dropping_.insert(version);
  recent_.erase(version);
  older_.erase(version);
}

void RocksDbOverlay::EndDrop(Version version) {
  dropping_.erase(version);
  OnChange(version);
}

RocksDbOverlay::Stored RocksDbOverlay::FindPending(Version version) const {
  const auto found = pending_.find(version);
  return found == pending_.end() ? nullptr : found->second;
}

RocksDbOverlay::Record RocksDbOverlay::FindRecord(Version version) const {
  const auto updated = updated_.find(version);
  if (updated != updated_.end()) return updated->second.record;
  const auto found = pending_.find(version);
  return found == pending_.end() ? nullptr : Record(found->second, &found->second->record);
}

void RocksDbOverlay::Know(Version version) {
  if (recent_.size() >= known_count_) older_ = std::exchange(recent_, {});
  recent_.insert(version);
}

int64_t RocksDbOverlay::Watch(Version version) {
  Watched& watched = watched_[version];
  ++watched.watchers;
  return watched.changes;
}

bool RocksDbOverlay::Unwatch(Version version, int64_t since) {
  const auto found = watched_.find(version);
  const bool unchanged = found->second.changes == since;
  if (--found->second.watchers == 0) watched_.erase(found);
  return unchanged;
}

void RocksDbOverlay::OnChange(Version version) {
  const auto found = watched_.find(version);
  if (found != watched_.end()) ++found->second.changes;
}

std::vector<RocksDbOverlay::Record> RocksDbOverlay::NewestBefore(Version before, size_t limit) const {
  std::vector<Record> newest;
  for (auto at = pending_.lower_bound(before); at != pending_.begin() && newest.size() < limit;) {
    --at;
    if (!IsDropping(at->first)) newest.push_back(FindRecord(at->first));
  }
  return newest;
}

absl::flat_hash_map<Version, RocksDbOverlay::Record> RocksDbOverlay::UpdatedRecords() const {
  absl::flat_hash_map<Version, Record> records;
  for (const auto& [version, updated] : updated_) records.emplace(version, updated.record);
  return records;
}

}  // namespace stepwell
