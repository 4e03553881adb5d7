#include "stepwell/storage/snapshot_tree.h"

#include <algorithm>
#include <iterator>

namespace stepwell {
namespace {

constexpr Version kNone{0};

const Array* FindWritten(const StoredSnapshot& snapshot, int position) {
  const auto& writers = snapshot.record.writers;
  const Version version = snapshot.record.version;
  if (position < 0 || position >= std::ssize(writers)) return nullptr;
  const auto at = writers.begin() + position;
  if (*at != version) return nullptr;
  return &snapshot.written[static_cast<size_t>(std::count(writers.begin(), at, version))];
}

}  // namespace

const SnapshotTree::Stored* SnapshotTree::Find(Version version) const {
  const auto node = nodes_.find(version);
  return node == nodes_.end() || node->second.is_skeleton ? nullptr : &node->second.stored;
}

const Array* SnapshotTree::FindArray(Version writer, int position) const {
  if (const Stored* stored = Find(writer)) return FindWritten(**stored, position);
  const auto orphan = orphans_.find({writer, position});
  return orphan == orphans_.end() ? nullptr : &orphan->second;
}

void SnapshotTree::Insert(Stored snapshot) {
  const Version version = snapshot->record.version;
  const Version parent = snapshot->record.parent.value_or(kNone);
  nodes_.emplace_hint(nodes_.end(), version, Node{.stored = std::move(snapshot), .parent = parent});
  if (parent != kNone) edges_.emplace_hint(edges_.end(), parent, version);
}

void SnapshotTree::Replace(Stored snapshot) {
  Stored& stored = nodes_.find(snapshot->record.version)->second.stored;
  stored = std::move(snapshot);
}

void SnapshotTree::CountHead(Version version, int change) {
  nodes_.find(version)->second.head_count += change;
}

std::optional<Version> SnapshotTree::Parent(Version version) const {
  for (Version parent = nodes_.find(version)->second.parent; parent != kNone;) {
    const Node& node = nodes_.find(parent)->second;
    if (!node.is_skeleton) return parent;
    parent = node.parent;
  }
  return std::nullopt;
}

std::vector<SnapshotTree::Stored> SnapshotTree::NewestBefore(Version before, size_t limit) const {
  std::vector<Stored> newest;
  for (auto node = nodes_.lower_bound(before); node != nodes_.begin() && newest.size() < limit;) {
    --node;
    if (!node->second.is_skeleton) newest.push_back(node->second.stored);
  }
  return newest;
}

bool SnapshotTree::Refers(const Node& node, Version writer, int position) {
  const auto& writers = node.stored->record.writers;
  return position < std::ssize(writers) && writers[static_cast<size_t>(position)] == writer;
}

SnapshotTree::Referrers SnapshotTree::ReferrersOf(Version writer, int position, const Node& node,
                                                  Version version) const {
  Referrers referrers;
  referrers.parent = node.parent != kNone && Refers(nodes_.find(node.parent)->second, writer, position);
  const auto [first, last] = ChildrenOf(version);
  for (auto edge = first; edge != last && referrers.children < 2; ++edge) {
    if (Refers(nodes_.find(edge->second)->second, writer, position)) ++referrers.children;
  }
  return referrers;
}

void SnapshotTree::Drop(Version version, Garbage& garbage) {
  Node& node = nodes_.find(version)->second;
  const Stored dropped = node.stored;
  // Its arrays are on their own from now on; Prune removes those that only it referred to.
  for (int position = 0; position < std::ssize(dropped->record.writers); ++position) {
    const Array* written = FindWritten(*dropped, position);
    if (written != nullptr) orphans_.emplace(std::pair(version, position), *written);
  }
  auto skeleton = std::make_shared<StoredSnapshot>();
  skeleton->record.version = version;
  skeleton->record.writers = dropped->record.writers;
  node.stored = std::move(skeleton);
  node.is_skeleton = true;
  ++skeleton_count_;
  dropped_.Insert(version);
  garbage.snapshots.push_back(dropped);
  Prune(version, garbage);
}

void SnapshotTree::Prune(Version version, Garbage& garbage) {
  std::vector<Version> changed = {version};
  while (!changed.empty()) {
    const auto found = nodes_.find(changed.back());
    changed.pop_back();
    if (found == nodes_.end() || !found->second.is_skeleton) continue;
    Node& node = found->second;
    auto connecting = std::make_shared<StoredSnapshot>(*node.stored);
    bool changes = false;
    bool needed = false;
    for (int position = 0; position < std::ssize(connecting->record.writers); ++position) {
      Version& writer = connecting->record.writers[static_cast<size_t>(position)];
      if (writer == kNone) continue;
      const Referrers referrers = ReferrersOf(writer, position, node, found->first);
      needed = needed || (!referrers.parent && referrers.children > 1);
      const int count = (referrers.parent ? 1 : 0) + referrers.children;
      if (count > 1) continue;
      if (count == 0) FreeArray(writer, position, garbage);
      writer = kNone;
      changes = true;
    }
    if (changes) {
      node.stored = std::move(connecting);
      changed.push_back(node.parent);
      const auto [first, last] = ChildrenOf(found->first);
      for (auto edge = first; edge != last; ++edge) changed.push_back(edge->second);
    }
    if (!needed) RemoveNode(found, changed);
  }
}

void SnapshotTree::RemoveNode(Nodes::iterator node, std::vector<Version>& changed) {
  const auto [version, parent] = std::pair(node->first, node->second.parent);
  const auto [first, last] = ChildrenOf(version);
  std::vector<Version> children;
  for (auto edge = first; edge != last; ++edge) children.push_back(edge->second);
  edges_.erase(first, last);
  if (parent != kNone) edges_.erase({parent, version});
  for (const Version child : children) {
    nodes_.find(child)->second.parent = parent;
    if (parent != kNone) edges_.emplace(parent, child);
  }
  nodes_.erase(node);
  --skeleton_count_;
  changed.push_back(parent);
  changed.insert(changed.end(), children.begin(), children.end());
}

void SnapshotTree::FreeArray(Version writer, int position, Garbage& garbage) {
  const auto orphan = orphans_.find({writer, position});
  garbage.array_bytes += orphan->second.byte_count();
  garbage.arrays.push_back(std::move(orphan->second));
  orphans_.erase(orphan);
}

}  // namespace stepwell
