#include "stepwell/storage/snapshot_tree.h"

#include <iterator>

namespace stepwell {
namespace {

constexpr Version kNone{0};

std::optional<SnapshotTree::Part> FindWritten(const StoredSnapshot& snapshot, int position) {
  const auto& writers = snapshot.record.writers;
  if (position < 0 || position >= std::ssize(writers)) return std::nullopt;
  if (writers[static_cast<size_t>(position)] != snapshot.record.version) return std::nullopt;
  const ArrayChain* const chain = snapshot.record.chains.Find(position);
  return SnapshotTree::Part{snapshot.written[snapshot.SlotOf(position)],
                            chain == nullptr ? std::nullopt : std::make_optional(chain->previous)};
}

}  // namespace

const SnapshotTree::Stored* SnapshotTree::Find(Version version) const {
  const auto node = nodes_.find(version);
  return node == nodes_.end() || node->second.is_skeleton ? nullptr : &node->second.stored;
}

std::optional<SnapshotTree::Part> SnapshotTree::FindPart(Version writer, int position) const {
  if (const Stored* stored = Find(writer)) return FindWritten(**stored, position);
  const auto orphan = orphans_.find({writer, position});
  return orphan == orphans_.end() ? std::nullopt : std::make_optional(orphan->second);
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

Version SnapshotTree::FirstOf(const Node& node, int position) {
  const SnapshotRecord& record = node.stored->record;
  if (position >= std::ssize(record.writers)) return kNone;
  const ArrayChain* const chain = record.chains.Find(position);
  return chain == nullptr ? record.writers[static_cast<size_t>(position)] : chain->first;
}

int SnapshotTree::CountSharing(Version version, int position, Version first) const {
  int count = 0;
  const auto [begin, end] = ChildrenOf(version);
  for (auto edge = begin; edge != end && count < 2; ++edge) {
    if (FirstOf(nodes_.find(edge->second)->second, position) == first) ++count;
  }
  return count;
}

void SnapshotTree::Drop(Version version, Garbage& garbage) {
  Node& node = nodes_.find(version)->second;
  const Stored dropped = node.stored;
  // Its arrays are on their own from now on; Prune removes those that only it referred to.
  for (int position = 0; position < std::ssize(dropped->record.writers); ++position) {
    std::optional<Part> written = FindWritten(*dropped, position);
    if (written.has_value()) orphans_.emplace(std::pair(version, position), *std::move(written));
  }
  auto skeleton = std::make_shared<StoredSnapshot>();
  skeleton->record.version = version;
  skeleton->record.writers = dropped->record.writers;
  skeleton->record.chains = dropped->record.chains;
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
      const Version last = connecting->record.writers[static_cast<size_t>(position)];
      if (last == kNone) continue;
      const Version first = FirstOf(node, position);
      const int children = CountSharing(found->first, position, first);
      // The last part that the parent has, too; what comes after it is this node's and its children's alone.
      Version parents = kNone;
      if (node.parent != kNone) {
        const Node& parent = nodes_.find(node.parent)->second;
        if (FirstOf(parent, position) == first) {
          parents = parent.stored->record.writers[static_cast<size_t>(position)];
        }
      }
      needed = needed || (parents != last && children > 1);
      if (children > (parents == kNone ? 1 : 0)) continue;
      if (children == 0) FreeParts(last, position, parents, garbage);
      connecting->record.writers[static_cast<size_t>(position)] = kNone;
      connecting->record.chains.Erase(position);
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

void SnapshotTree::FreeParts(Version last, int position, Version kept, Garbage& garbage) {
  for (std::optional<Version> writer = last; writer.has_value() && *writer != kept;) {
    const auto orphan = orphans_.find({*writer, position});
    Part& part = orphan->second;
    writer = part.previous;
    garbage.array_bytes += part.array.byte_count();
    garbage.arrays.push_back(std::move(part.array));
    orphans_.erase(orphan);
  }
}

}  // namespace stepwell
