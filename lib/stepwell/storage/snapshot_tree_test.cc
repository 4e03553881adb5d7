#include "stepwell/storage/snapshot_tree.h"

#include <map>
#include <set>

#include "absl/random/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stepwell {
namespace {

using ::testing::ElementsAre;

// A snapshot of three arrays, which writes 4 bytes to those at `positions`: whole, or where `appended` has
// the position, behind what is there. `from`, null for a root, wrote or shared the others.
SnapshotTree::Stored MakeSnapshot(int64_t version, const StoredSnapshot* from, std::set<int> positions,
                                  const std::set<int>& appended = {}) {
  auto snapshot = std::make_shared<StoredSnapshot>();
  SnapshotRecord& record = snapshot->record;
  record.version = Version(version);
  record.origin = std::make_shared<const SnapshotOrigin>();
  record.writers.assign(3, record.version);
  if (from != nullptr) {
    record.parent = from->record.version;
    record.writers = from->record.writers;
    record.chains = from->record.chains;
  } else {
    positions = {0, 1, 2};
  }
  for (const int position : positions) {
    Version& writer = record.writers[static_cast<size_t>(position)];
    if (from != nullptr && appended.contains(position)) {
      record.chains.Append(position, writer);
    } else {
      record.chains.Erase(position);
    }
    writer = record.version;
    snapshot->written.push_back(Array::Scalar(static_cast<int32_t>(version * 3 + position)));
  }
  return snapshot;
}

class Tree {
 public:
  // Version `version`, made of `parent` (0: a root).
  void Add(int64_t version, int64_t parent, std::set<int> positions, const std::set<int>& appended = {}) {
    const SnapshotTree::Stored* from = parent == 0 ? nullptr : tree.Find(Version(parent));
    tree.Insert(
        MakeSnapshot(version, from == nullptr ? nullptr : from->get(), std::move(positions), appended));
  }
  // Answers with the number of parts that went.
  int64_t Drop(int64_t version) {
    SnapshotTree::Garbage garbage;
    tree.Drop(Version(version), garbage);
    return garbage.array_bytes / 4;
  }

  SnapshotTree tree;
};

TEST(SnapshotTree, DropOfALeafTakesWhatItWrote) {
  Tree made;
  made.Add(1, 0, {});
  made.Add(2, 1, {1});
  EXPECT_EQ(made.Drop(2), 1);
  EXPECT_EQ(made.tree.Find(Version(2)), nullptr);
  EXPECT_TRUE(made.tree.WasDropped(Version(2)));
  EXPECT_FALSE(made.tree.FindPart(Version(2), 1).has_value());
  EXPECT_TRUE(made.tree.FindPart(Version(1), 1).has_value());
}

TEST(SnapshotTree, ChildOfWhatIsDroppedStaysWholeUnderItsGrandparent) {
  Tree made;
  made.Add(1, 0, {});
  made.Add(2, 1, {0, 1});
  made.Add(3, 2, {1});
  EXPECT_EQ(made.Drop(2), 1) << "only what the child wrote anew";
  EXPECT_EQ(made.tree.FindPart(Version(2), 0)->array, Array::Scalar<int32_t>(6));
  EXPECT_EQ(made.tree.Parent(Version(3)), Version(1));
  EXPECT_EQ((*made.tree.Find(Version(3)))->record.parent, Version(2)) << "the lineage stays true";
  EXPECT_EQ(made.tree.skeleton_count(), 0);
  EXPECT_EQ(made.Drop(3), 2);
  EXPECT_EQ(made.tree.orphan_count(), 0);
}

TEST(SnapshotTree, SkeletonStaysWhileTwoChildrenShareAnArrayThroughIt) {
  Tree made;
  made.Add(1, 0, {});
  made.Add(2, 1, {0});
  made.Add(3, 2, {1});
  made.Add(4, 2, {1});
  EXPECT_EQ(made.Drop(2), 0);
  EXPECT_EQ(made.tree.skeleton_count(), 1);
  EXPECT_EQ(made.tree.Parent(Version(3)), Version(1));
  EXPECT_EQ(made.Drop(3), 1);
  EXPECT_EQ(made.tree.skeleton_count(), 0);
  EXPECT_EQ(made.tree.FindPart(Version(2), 0)->array, Array::Scalar<int32_t>(6));
  EXPECT_EQ(made.Drop(4), 2) << "what it wrote, and what it alone had from version 2";
  EXPECT_EQ(made.tree.orphan_count(), 0);
}

TEST(SnapshotTree, NewestBeforeLeavesOutWhatWasDropped) {
  Tree made;
  made.Add(1, 0, {});
  for (int64_t version = 2; version <= 6; ++version) made.Add(version, 1, {0});
  EXPECT_EQ(made.Drop(1), 1);
  EXPECT_EQ(made.Drop(5), 1);
  std::vector<Version> versions;
  for (const auto& stored : made.tree.NewestBefore(Version(6), 3)) {
    versions.push_back(stored->record.version);
  }
  EXPECT_THAT(versions, ElementsAre(Version(4), Version(3), Version(2)));
}

TEST(SnapshotTree, PartsThatADescendantHasStay) {
  Tree made;
  made.Add(1, 0, {});
  made.Add(2, 1, {2}, {2});
  made.Add(3, 2, {2}, {2});
  made.Add(4, 2, {2});
  EXPECT_EQ(made.Drop(2), 0) << "versions 3 has its part";
  EXPECT_EQ(made.Drop(1), 0) << "two arrays are shared, and so is the part at the head of the chain";
  EXPECT_EQ(made.tree.FindPart(Version(3), 2)->previous, Version(2));
  EXPECT_EQ(made.tree.FindPart(Version(2), 2)->previous, Version(1));
  EXPECT_EQ(made.Drop(3), 3) << "the whole chain: version 4 has written another array";
  EXPECT_EQ(made.Drop(4), 3);
  EXPECT_EQ(made.tree.orphan_count(), 0);
}

// Whatever is made and dropped in whatever order: what is left has all its arrays, and nothing else is kept.
TEST(SnapshotTree, KeepsExactlyWhatSnapshotsReferTo) {
  absl::BitGen random;
  for (int round = 0; round < 60; ++round) {
    Tree made;
    std::map<int64_t, SnapshotTree::Stored> live;
    std::map<int64_t, int64_t> parents;  // Of all that ever were.
    int64_t written = 0;
    int64_t freed = 0;
    int64_t next = 1;
    const auto any_live = [&] {
      return std::next(live.begin(), absl::Uniform<ptrdiff_t>(random, 0, std::ssize(live)))->first;
    };
    // Chains, bushes, and what is between.
    const double fork = absl::Uniform(random, 0.0, 1.0);
    for (int i = 0; i < 120; ++i) {
      if (live.empty() || absl::Bernoulli(random, 0.6)) {
        int64_t parent = 0;
        if (!live.empty() && !absl::Bernoulli(random, 0.05)) {
          parent = absl::Bernoulli(random, fork) ? any_live() : live.rbegin()->first;
        }
        std::set<int> positions;
        std::set<int> appended;
        for (int position = 0; position < 3; ++position) {
          if (absl::Bernoulli(random, 0.4)) positions.insert(position);
          if (position > 0 && absl::Bernoulli(random, 0.8)) appended.insert(position);
        }
        made.Add(next, parent, positions, appended);
        live[next] = *made.tree.Find(Version(next));
        parents[next] = parent;
        written += std::ssize(live[next]->written);
        ++next;
      } else {
        const int64_t dropped = any_live();
        freed += made.Drop(dropped);
        live.erase(dropped);
      }

      std::set<std::pair<int64_t, int>> needed;
      size_t orphans = 0;
      for (const auto& [version, stored] : live) {
        for (int position = 0; position < 3; ++position) {
          std::optional<Version> writer = stored->record.writers[static_cast<size_t>(position)];
          while (writer.has_value()) {
            const int64_t number = writer->value();
            if (needed.emplace(number, position).second && !live.contains(number)) ++orphans;
            const auto part = made.tree.FindPart(*writer, position);
            ASSERT_TRUE(part.has_value()) << "of " << number << " for " << version;
            ASSERT_EQ(part->array, Array::Scalar(static_cast<int32_t>(number * 3 + position)));
            writer = part->previous;
          }
        }
        int64_t parent = parents[version];
        while (parent != 0 && !live.contains(parent)) parent = parents[parent];
        ASSERT_EQ(made.tree.Parent(Version(version)).value_or(Version(0)), Version(parent));
      }
      ASSERT_EQ(made.tree.orphan_count(), orphans);
      ASSERT_EQ(written - freed, std::ssize(needed)) << "parts that are kept";
      ASSERT_LE(made.tree.skeleton_count(), live.size());
    }
  }
}

}  // namespace
}  // namespace stepwell
