#ifndef STEPWELL_STORAGE_RECORD_H_
#define STEPWELL_STORAGE_RECORD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "stepwell/array/array.h"
#include "stepwell/base/rare.h"
#include "stepwell/storage/array_chains.h"
#include "stepwell/storage/retention_policy.h"
#include "stepwell/storage/stored_time.h"
#include "stepwell/storage/version.h"

namespace stepwell {

// What a user writes on a snapshot or a branch.
using Labels = absl::btree_map<std::string, std::string>;

// Whether a user wrote one of `labels`: keys that begin with "stepwell." are Stepwell's own.
inline bool IsLabelled(const Labels& labels) {
  return !std::ranges::all_of(labels,
                              [](const auto& label) { return absl::StartsWith(label.first, "stepwell."); });
}

// What made a snapshot; snapshots that the same method made share one.
struct SnapshotOrigin {
  std::string model;
  int64_t revision = 0;
  std::string method;  // Empty for MakeState and SetArrays.

  friend bool operator==(const SnapshotOrigin&, const SnapshotOrigin&) = default;
};

// What is stored of a snapshot: all but its arrays, of which it says who wrote them. An array is written at
// exactly one version, so (writer, position) names it, and snapshots share arrays by naming the same writer.
// Of one that grows, what was appended is stored under (writer, position), and `chains` say what it was
// appended to.
struct SnapshotRecord {
  Version version{0};
  MaybeVersion parent;                           // None for a root. It may have been dropped since.
  std::shared_ptr<const SnapshotOrigin> origin;  // Never null.
  StoredTime create_time;
  Rare<Labels> labels;
  int64_t state_bytes = 0;                  // Of all its arrays.
  int64_t new_bytes = 0;                    // Of what it wrote: of rows alone, where it appended.
  int64_t step_count : 63 = 0;              // Steps since the root.
  bool pinned : 1 = false;                  // Never dropped by retention, nor by DeleteSnapshots.
  absl::InlinedVector<Version, 2> writers;  // By position in the state spec.
  ArrayChains chains;                       // Of the arrays whose writer appended to them.
};

// What one version wrote at a position: an array, or the rows that it appended to one.
struct ArrayPart {
  Array array;
  std::optional<Version> previous;  // Wrote the part in front of it.
};

// A snapshot with what it wrote: an array, or the rows that it appended, for each position whose writer is
// the snapshot itself, in the order of positions. Where it stays in memory, it is the one object that does.
struct StoredSnapshot {
  SnapshotRecord record;
  absl::InlinedVector<Array, 1> written;

  // Where in `written` that of `position` stands, which the snapshot wrote.
  size_t SlotOf(int position) const {
    return static_cast<size_t>(
        std::count(record.writers.begin(), record.writers.begin() + position, record.version));
  }

  // What the snapshot wrote at `position`. Absent: nothing.
  std::optional<ArrayPart> PartAt(int position) const {
    if (position < 0 || position >= std::ssize(record.writers)) return std::nullopt;
    if (record.writers[static_cast<size_t>(position)] != record.version) return std::nullopt;
    const ArrayChain* const chain = record.chains.Find(position);
    return ArrayPart{written[SlotOf(position)],
                     chain == nullptr ? std::nullopt : std::make_optional(chain->previous)};
  }
};

// A named pointer to a version of one model.
struct BranchRecord {
  std::string name;
  std::string model;
  Version head{0};
  absl::Time create_time;
  absl::Time update_time;  // Of the last move of the head.
  absl::Time expire_time = absl::InfiniteFuture();
  Labels labels;
  std::optional<RetentionPolicy> retention;  // Absent: its model's.
};

// What is remembered of a mutation that came with a request_id, so that a repeat is answered as the first
// was.
struct RequestRecord {
  std::string id;
  std::string digest;  // Of the request, to tell a repeat from another request with the same id.
  absl::Time time;     // Of the commit.
  // What came of it, as far as it applies.
  std::optional<Version> base;  // The version that was stepped or changed,
  int64_t revision = 0;         // by this revision of its model.
  std::vector<Version> versions;
  std::optional<BranchRecord> branch;  // As it was then.
  int64_t freed_bytes = 0;             // By dropping `versions`.
};

// What the number of a model's revision stands for, and how its snapshots are laid out.
struct ModelRevisionRecord {
  static constexpr int64_t kDynamic = -1;
  struct StateArray {
    std::string index;
    DType dtype = DType::kFloat32;
    std::vector<int64_t> dims;  // kDynamic: any extent.

    friend bool operator==(const StateArray&, const StateArray&) = default;
  };

  std::string model;
  int64_t revision = 0;
  std::string digest;             // Of the package's content.
  std::vector<StateArray> state;  // By position.

  friend bool operator==(const ModelRevisionRecord&, const ModelRevisionRecord&) = default;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_RECORD_H_
