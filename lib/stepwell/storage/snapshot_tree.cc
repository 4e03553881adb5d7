#include "stepwell/storage/snapshot_tree.h"

#include <iterator>

namespace stepwell {
namespace {

constexpr Version kNone{0};

}  // namespace

const SnapshotTree::Stored* SnapshotTree::Find(Version version) const {
  const auto node = nodes_.find(version);
  return node == nodes_.end() || IsSkeleton(node->second) ? nullptr : &node->second;
}

Version SnapshotTree::ParentOf(const SnapshotRecord& node) const {
  const auto moved = moved_.find(node.version);
  return moved == moved_.end() ? node.parent.value_or(kNone) : moved->second;
}

std::optional<ArrayPart> SnapshotTree::FindPart(Version writer, int position) const {
  if (const Stored* stored = Find(writer)) return (*stored)->PartAt(position);
  const auto orphan = orphans_.find({writer, position});
  return orphan == orphans_.end() ? std::nullopt : std::make_optional(orphan->second);
}

void SnapshotTree::Insert(Stored snapshot) {
  const Version version = snapshot->record.version;
  const Version parent = snapshot->record.parent.value_or(kNone);
  nodes_.emplace_hint(nodes_.end(), version, std::move(snapshot));
  if (parent != kNone) edges_.emplace_hint(edges_.end(), parent, version);
}

void SnapshotTree::Replace(Stored snapshot) {
  Stored& stored = nodes_.find(snapshot->record.version)->second;
  stored = std::move(snapshot);
}

void SnapshotTree::CountHead(Version version, int change) {
  const auto count = head_counts_.try_emplace(version, 0).first;
  count->second += change;
  if (count->second == 0) head_counts_.erase(count);
}

std::optional<Version> SnapshotTree::Parent(Version version) const {
  for (Version parent = ParentOf(nodes_.find(version)->second->record); parent != kNone;) {
    const Stored& node = nodes_.find(parent)->second;
    if (!IsSkeleton(node)) return parent;
    parent = ParentOf(node->record);
  }
  return std::nullopt;
}

std::vector<SnapshotTree::Stored> SnapshotTree::NewestBefore(Version before, size_t limit) const {
  std::vector<Stored> newest;
  for (auto node = nodes_.lower_bound(before); node != nodes_.begin() && newest.size() < limit;) {
    --node;
    if (!IsSkeleton(node->second)) newest.push_back(node->second);
  }
  return newest;
}

void SnapshotTree::Drop(Version version, Garbage& garbage) {
  const Stored dropped = nodes_.find(version)->second;
  // Its arrays are on their own from now on; pruning removes those that only it referred to.
  for (int position = 0; position < std::ssize(dropped->record.writers); ++position) {
    std::optional<ArrayPart> written = dropped->PartAt(position);
    if (written.has_value()) orphans_.emplace(std::pair(version, position), *std::move(written));
  }
  SnapshotRecord skeleton;
  skeleton.version = version;
  skeleton.writers = dropped->record.writers;
  skeleton.chains = dropped->record.chains;
  SetSkeleton(version, std::move(skeleton));
  ++skeleton_count_;
  dropped_.Insert(version);
  garbage.snapshots.push_back(dropped);
  garbage_ = &garbage;
  PruneSkeleton(*this, version);
  garbage_ = nullptr;
}

std::optional<TreeNodes::Node> SnapshotTree::FindNode(Version version) {
  const auto found = nodes_.find(version);
  if (found == nodes_.end()) return std::nullopt;
  const Stored& node = found->second;
  return Node{.record = &node->record, .parent = ParentOf(node->record), .is_skeleton = IsSkeleton(node)};
}

void SnapshotTree::VisitChildren(Version version, absl::FunctionRef<bool(Version)> visit) {
  auto edge = edges_.lower_bound({version, Version(0)});
  for (; edge != edges_.end() && edge->first == version; ++edge) {
    if (!visit(edge->second)) return;
  }
}

void SnapshotTree::SetSkeleton(Version version, SnapshotRecord record) {
  auto skeleton = std::make_shared<StoredSnapshot>();
  skeleton->record = std::move(record);
  Stored& node = nodes_.find(version)->second;
  skeleton->record.parent = node->record.parent;  // For ParentOf.
  skeleton->record.origin = nullptr;
  node = std::move(skeleton);
}

void SnapshotTree::Remove(Version version) {
  const auto node = nodes_.find(version);
  const Version parent = ParentOf(node->second->record);
  if (parent != kNone) edges_.erase({parent, version});
  moved_.erase(version);
  nodes_.erase(node);
  --skeleton_count_;
}

void SnapshotTree::Move(Version child, Version parent) {
  edges_.erase({ParentOf(nodes_.find(child)->second->record), child});
  if (parent != kNone) edges_.emplace(parent, child);
  moved_.insert_or_assign(child, parent);
}

std::optional<Version> SnapshotTree::FreePart(Version writer, int position) {
  const auto orphan = orphans_.find({writer, position});
  ArrayPart& part = orphan->second;
  const std::optional<Version> previous = part.previous;
  garbage_->array_bytes += part.array.byte_count();
  garbage_->arrays.push_back(std::move(part.array));
  orphans_.erase(orphan);
  return previous;
}

}  // namespace stepwell
