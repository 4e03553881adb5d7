#include "stepwell/storage/snapshot_pruning.h"

#include <iterator>
#include <utility>
#include <vector>

namespace stepwell {
namespace {

constexpr Version kNoVersion{0};

// Whose part the array at `position` of a node begins with; 0 when it has none there.
Version FirstOf(const SnapshotRecord& record, int position) {
  if (position >= std::ssize(record.writers)) return kNoVersion;
  const ArrayChain* const chain = record.chains.Find(position);
  return chain == nullptr ? record.writers[static_cast<size_t>(position)] : chain->first;
}

// How many children of `version` have an array at `position` that begins with `first`'s part; counted to 2.
int CountSharing(TreeNodes& nodes, Version version, int position, Version first) {
  int count = 0;
  nodes.VisitChildren(version, [&](Version child) {
    const std::optional<TreeNodes::Node> node = nodes.FindNode(child);
    if (node.has_value() && FirstOf(*node->record, position) == first) ++count;
    return count < 2;
  });
  return count;
}

std::vector<Version> ChildrenOf(TreeNodes& nodes, Version version) {
  std::vector<Version> children;
  nodes.VisitChildren(version, [&children](Version child) {
    children.push_back(child);
    return true;
  });
  return children;
}

// Frees the part that `last` wrote and those in front of it, up to that of `kept`, which stays.
void FreeParts(TreeNodes& nodes, Version last, int position, Version kept) {
  std::optional<Version> writer = last;
  while (writer.has_value() && *writer != kept) writer = nodes.FreePart(*writer, position);
}

}  // namespace

void PruneSkeleton(TreeNodes& nodes, Version version) {
  std::vector<Version> changed = {version};
  while (!changed.empty()) {
    const Version at = changed.back();
    changed.pop_back();
    const std::optional<TreeNodes::Node> node = nodes.FindNode(at);
    if (!node.has_value() || !node->is_skeleton) continue;
    const Version parent = node->parent;
    SnapshotRecord connecting;
    connecting.version = at;
    connecting.writers = node->record->writers;
    connecting.chains = node->record->chains;
    bool changes = false;
    bool needed = false;
    for (int position = 0; position < std::ssize(connecting.writers); ++position) {
      const Version last = connecting.writers[static_cast<size_t>(position)];
      if (last == kNoVersion) continue;
      const Version first = FirstOf(connecting, position);
      const int children = CountSharing(nodes, at, position, first);
      // The last part that the parent has, too; what comes after it is this node's and its children's alone.
      Version parents = kNoVersion;
      const std::optional<TreeNodes::Node> above =
          parent == kNoVersion ? std::nullopt : nodes.FindNode(parent);
      if (above.has_value() && FirstOf(*above->record, position) == first) {
        parents = above->record->writers[static_cast<size_t>(position)];
      }
      needed = needed || (parents != last && children > 1);
      if (children > (parents == kNoVersion ? 1 : 0)) continue;
      if (children == 0) FreeParts(nodes, last, position, parents);
      connecting.writers[static_cast<size_t>(position)] = kNoVersion;
      connecting.chains.Erase(position);
      changes = true;
    }
    if (!changes && needed) continue;
    const std::vector<Version> children = ChildrenOf(nodes, at);
    if (needed) {
      nodes.SetSkeleton(at, std::move(connecting));
    } else {
      for (const Version child : children) nodes.Move(child, parent);
      nodes.Remove(at);
    }
    if (parent != kNoVersion) changed.push_back(parent);
    changed.insert(changed.end(), children.begin(), children.end());
  }
}

}  // namespace stepwell
