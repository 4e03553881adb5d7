#include "stepwell/storage/rocksdb_drop.h"

#include <iterator>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/rocksdb_keys.h"

namespace stepwell {
namespace {

constexpr Version kNoParent{0};

}  // namespace

absl::Status RocksDbDrop::Drop(Version version) {
  if (!FindNode(version).has_value()) {
    return status_.ok()
               ? RecordDamaged(absl::StrCat("the record of version ", version.value()), "it is missing")
               : status_;
  }
  Entry& entry = entries_.find(version)->second;
  const SnapshotRecord& record = entry.row.record;
  // Its arrays are on their own from now on; pruning removes those that only it referred to.
  size_t slot = 0;
  for (int position = 0; position < std::ssize(record.writers); ++position) {
    if (record.writers[static_cast<size_t>(position)] != version) continue;
    const ArrayChain* const chain = record.chains.Find(position);
    orphans_[{version, position}] =
        OrphanRow{.byte_count = entry.row.written_bytes[slot++],
                  .previous = chain == nullptr ? std::nullopt : std::make_optional(chain->previous)};
  }
  SnapshotRecord skeleton;
  skeleton.version = version;
  skeleton.writers = record.writers;
  skeleton.chains = record.chains;
  entry.is_skeleton = true;
  SetSkeleton(version, std::move(skeleton));
  const absl::Status added = AddDropped(version);
  if (!added.ok()) return added;
  PruneSkeleton(*this, version);
  return status_;
}

absl::StatusOr<RocksDbDrop::Entry> RocksDbDrop::Read(Version version) const {
  absl::StatusOr<std::optional<PlaceRow>> place = database_->ReadPlace(version);
  if (!place.ok()) return place.status();
  Entry entry;
  if (place->has_value() && (*place)->is_skeleton) {
    entry.row.record = std::move((*place)->record);
    entry.is_skeleton = entry.was_skeleton = true;
  } else {
    absl::StatusOr<SnapshotRow> row = database_->ReadSnapshot(version);
    if (!row.ok()) return row.status();
    entry.row = *std::move(row);
  }
  entry.parent = place->has_value() ? (*place)->parent : entry.row.record.parent.value_or(kNoParent);
  return entry;
}

std::optional<TreeNodes::Node> RocksDbDrop::FindNode(Version version) {
  if (!status_.ok()) return std::nullopt;
  auto found = entries_.find(version);
  if (found == entries_.end()) {
    absl::StatusOr<Entry> entry = Read(version);
    if (!entry.ok()) {
      status_ = absl::IsNotFound(entry.status())
                    ? RecordDamaged(absl::StrCat("the record of version ", version.value()),
                                    "it is missing, and others hang under it")
                    : entry.status();
      return std::nullopt;
    }
    found = entries_.emplace(version, *std::move(entry)).first;
  }
  const Entry& entry = found->second;
  if (entry.is_gone) return std::nullopt;
  return Node{.record = &entry.row.record, .parent = entry.parent, .is_skeleton = entry.is_skeleton};
}

void RocksDbDrop::VisitChildren(Version version, absl::FunctionRef<bool(Version)> visit) {
  auto changed = edges_.lower_bound({version, Version(0)});
  for (; changed != edges_.end() && changed->first.first == version; ++changed) {
    if (changed->second && !visit(changed->first.second)) return;
  }
  const std::string prefix = EdgePrefix(version);
  for (tree_->Seek(prefix); tree_->Valid() && tree_->key().starts_with(prefix); tree_->Next()) {
    const Version child = EdgeKeyChild({tree_->key().data(), tree_->key().size()});
    if (!edges_.contains({version, child}) && !visit(child)) return;
  }
  if (!tree_->status().ok() && status_.ok()) {
    status_ =
        database_->ReadError(tree_->status(), absl::StrCat("what descends from version ", version.value()));
  }
}

void RocksDbDrop::SetSkeleton(Version version, SnapshotRecord record) {
  Entry& entry = entries_.find(version)->second;
  entry.row = {.record = std::move(record)};
  entry.is_changed = true;
}

void RocksDbDrop::Remove(Version version) {
  Entry& entry = entries_.find(version)->second;
  if (entry.parent != kNoParent) SetEdge(entry.parent, version, false);
  entry.is_gone = entry.is_changed = true;
}

void RocksDbDrop::Move(Version child, Version parent) {
  if (!FindNode(child).has_value()) return;
  Entry& entry = entries_.find(child)->second;
  SetEdge(entry.parent, child, false);
  if (parent != kNoParent) SetEdge(parent, child, true);
  entry.parent = parent;
  entry.is_changed = true;
}

void RocksDbDrop::SetEdge(Version parent, Version child, bool is_there) {
  edges_[{parent, child}] = is_there;
}

std::optional<Version> RocksDbDrop::FreePart(Version writer, int position) {
  if (!status_.ok()) return std::nullopt;
  std::optional<OrphanRow>& orphan = orphans_[{writer, position}];
  if (!orphan.has_value()) {
    absl::StatusOr<OrphanRow> row = database_->ReadOrphan(writer, position);
    if (!row.ok()) {
      status_ = row.status();
      return std::nullopt;
    }
    orphan = *row;
  }
  freed_bytes_ += orphan->byte_count;
  const std::optional<Version> previous = orphan->previous;
  orphan.reset();
  return previous;
}

absl::Status RocksDbDrop::AddDropped(Version version) {
  dropped_.Insert(version);
  for (const Version neighbour : {Version(version.value() - 1), Version(version.value() + 1)}) {
    const auto run = database_->FindDropped(neighbour, *tree_);
    if (!run.ok()) return run.status();
    if (!run->has_value()) continue;
    merged_.insert((*run)->first);
    dropped_.InsertRun((*run)->first, (*run)->last);
  }
  return absl::OkStatus();
}

void RocksDbDrop::AddTo(rocksdb::WriteBatch& batch) const {
  rocksdb::ColumnFamilyHandle* const tree = database_->family(Family::kTree);
  for (const auto& [version, entry] : entries_) {
    if (!entry.is_changed) continue;
    if (entry.is_skeleton && !entry.was_skeleton) {
      batch.Delete(database_->family(Family::kSnapshots), SnapshotKey(version));
    }
    if (entry.is_gone) {
      batch.Delete(tree, PlaceKey(version));
    } else {
      batch.Put(tree, PlaceKey(version),
                EncodePlace(
                    {.parent = entry.parent, .is_skeleton = entry.is_skeleton, .record = entry.row.record}));
    }
  }
  for (const auto& [edge, is_there] : edges_) {
    const std::string key = EdgeKey(edge.first, edge.second);
    if (is_there) {
      batch.Put(tree, key, rocksdb::Slice());
    } else {
      batch.Delete(tree, key);
    }
  }
  for (const auto& [part, orphan] : orphans_) {
    const auto& [writer, position] = part;
    if (orphan.has_value()) {
      batch.Put(tree, OrphanKey(writer, position), EncodeOrphan(*orphan));
    } else {
      batch.Delete(tree, OrphanKey(writer, position));
      batch.Delete(database_->family(Family::kArrays), ArrayKey(writer, position));
    }
  }
  for (const Version first : merged_) batch.Delete(tree, DroppedKey(first));
  for (const auto& [first, last] : dropped_.runs()) batch.Put(tree, DroppedKey(first), VersionValue(last));
}

}  // namespace stepwell
