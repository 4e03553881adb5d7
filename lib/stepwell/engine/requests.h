#ifndef STEPWELL_ENGINE_REQUESTS_H_
#define STEPWELL_ENGINE_REQUESTS_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "stepwell/array/array.h"
#include "stepwell/array/difference.h"
#include "stepwell/array/slice.h"
#include "stepwell/engine/call_context.h"
#include "stepwell/state/snapshot.h"
#include "stepwell/storage/record.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// What the engine is asked and what it answers: the public API's messages as plain values.

// Arrays by name: a method's inputs and outputs, or state arrays under their index.
using NamedArrays = std::vector<std::pair<std::string, Array>>;

// No limit on the arrays of a reply.
inline constexpr int64_t kAnyByteCount = std::numeric_limits<int64_t>::max();

// A state to read or step: a version, or whatever version is the head of a branch.
struct BranchName {
  std::string value;
};
using StateRef = std::variant<Version, BranchName>;

// State arrays to take.
struct IndexPath {
  std::string value;  // "layers[0].norm.running_mean"
};
struct IndexPosition {
  int64_t value = 0;  // In the state spec.
};
struct IndexSubtree {
  std::string value;  // "layers[0]": that index and every one below it, in spec order; "" is all.
};
using Index = std::variant<IndexPath, IndexPosition, IndexSubtree>;

struct ArraySelector {
  Index index;
  std::vector<Slice> slices;  // Of each selected array, from its outermost axis.
};

// Beside what is to be done, a mutation may have a request_id: up to 128 bytes that no other request has. A
// repeat, while the first is under way or within the store's window after it, is answered as the first was.

struct MakeStateRequest {
  std::string model;
  std::optional<int64_t> revision;  // Absent: the newest.
  NamedArrays arrays;               // Replace initial values, by index.
  std::optional<uint64_t> rng_seed;
  std::optional<std::string> branch;  // To create with the new version as its head.
  Labels labels;
  std::string request_id;
  std::optional<Durability> durability;  // Absent: the engine's default.
  CallContext call;
};

struct MakeStateResult {
  std::shared_ptr<const Snapshot> snapshot;
  std::optional<BranchRecord> branch;  // When one was asked for.
};

// Which revision of its model a state is stepped with.
struct SameRevision {};  // The one that made the snapshot.
struct NewestRevision {};
using RevisionChoice = std::variant<SameRevision, NewestRevision, int64_t>;

// Where another revision than the one that made a snapshot is to step it, its state spec must fit, or be made
// to fit: `adapt_state` gives the state the initial values of indices that it lacks, and leaves out those
// that the revision does not have. What is made is of that revision from then on.

struct StepRequest {
  StateRef state = Version(0);
  std::string method = "step";
  NamedArrays inputs;
  std::vector<std::string> output_names;  // Outputs to return; empty: all.
  std::vector<ArraySelector> fetch;       // State arrays after the step to return with it.
  int64_t max_reply_bytes =
      kAnyByteCount;          // Of outputs and fetched arrays; with more, the step does not happen.
  bool keep = true;           // False: compute, and mint nothing.
  bool check_finite = false;  // Fail rather than write a NaN or infinity. A package may ask for it, too.
  RevisionChoice revision;
  bool adapt_state = false;
  std::optional<Version> expected_head;  // Of the branch; only with a BranchName.
  Labels labels;                         // Of the new snapshot.
  std::string request_id;
  std::optional<Durability> durability;
  CallContext call;
  // Where it is to be durable before it is answered: called once with the new version when others can see
  // that, so that what comes next need not wait for the disk. Not when the step fails, mints nothing, or is a
  // repeat.
  std::function<void(Version)> on_visible;
};

struct StepResult {
  std::shared_ptr<const Snapshot> snapshot;  // The new one; the one that was read when none was minted.
  NamedArrays outputs;
  NamedArrays fetched;
};

// Steps of several states, each by itself: one that fails does not hold up another. Their request_ids must be
// empty; durability and call are this request's.
struct BatchStepRequest {
  std::vector<StepRequest> steps;
  bool all_or_nothing = false;  // Commit all of them as one, or none when one fails; then each branch once.
  int64_t max_reply_bytes = kAnyByteCount;  // Of all; each step may return its equal share.
  std::string request_id;                   // For the whole; a repeat steps only what failed before.
  std::optional<Durability> durability;
  CallContext call;
};

struct BatchStepResult {
  std::vector<absl::StatusOr<StepResult>> results;  // In the order of the steps.
};

struct ScanRequest {
  StateRef state = Version(0);
  std::string method = "step";
  NamedArrays inputs;                     // Each with one more axis, outermost, of the steps.
  std::optional<int64_t> step_count;      // Must be the inputs'; needed where the method has none.
  std::vector<std::string> output_names;  // Outputs to return; empty: all.
  int64_t keep_every = 0;                 // Keep the last version alone (0), or every k-th (k) and the last.
  std::vector<ArraySelector> fetch;       // State arrays after the last step.
  bool check_finite = false;              // As StepRequest's, of each step.
  RevisionChoice revision;                // Of all steps.
  bool adapt_state = false;
  int64_t max_reply_bytes = kAnyByteCount;
  std::optional<Version> expected_head;
  Labels labels;  // Of each new snapshot.
  std::string request_id;
  std::optional<Durability> durability;
  CallContext call;
};

struct ScanResult {
  std::vector<Version> versions;  // That were kept, oldest first; the one that was read when none was minted.
  NamedArrays outputs;            // Each with one more axis, outermost, of the steps.
  NamedArrays fetched;
};

struct SetArraysRequest {
  StateRef state = Version(0);
  std::vector<std::pair<Index, Array>> arrays;  // No subtrees. None: the state moves to `revision` as it is.
  RevisionChoice revision;
  bool adapt_state = false;
  std::optional<Version> expected_head;
  Labels labels;
  std::string request_id;
  std::optional<Durability> durability;
  CallContext call;
};

struct GetArraysRequest {
  StateRef state = Version(0);
  std::vector<ArraySelector> selectors;  // Empty: every array, whole.
  int64_t max_reply_bytes = kAnyByteCount;
  CallContext call;
};

struct GetArraysResult {
  std::shared_ptr<const Snapshot> snapshot;
  NamedArrays arrays;          // In the order of the selectors.
  std::vector<int> positions;  // In the state spec, of each of `arrays`.
};

struct DiffSnapshotsRequest {
  StateRef from = Version(0);
  StateRef to = Version(0);
  std::optional<Index> index;  // Only these arrays; absent: all. A position is in the state spec of `to`.
  bool include_same = false;   // List the arrays that do not differ, too.
  CallContext call;
};

// What is told of an array beside its elements.
struct ArrayType {
  DType dtype;
  absl::InlinedVector<int64_t, 4> dims;  // Dim::kDynamic where the array would have to be read to tell.

  friend bool operator==(const ArrayType&, const ArrayType&) = default;
};

// How one state array differs between two snapshots.
struct ArrayDiff {
  enum class Kind : uint8_t {
    kSame,     // The same dtype, shape and bytes.
    kChanged,  // In any of them.
    kAdded,    // Only `to` has the index.
    kRemoved,  // Only `from` has it.
  };
  std::string index;
  Kind kind = Kind::kSame;
  std::optional<ArrayType> from;  // Absent where the index is.
  std::optional<ArrayType> to;
  std::optional<Difference> difference;  // Of arrays of the same shape.
};

struct DiffSnapshotsResult {
  Version from;
  Version to;
  std::vector<ArrayDiff> arrays;  // In the order of `to`'s state spec, then what was removed.
};

struct GetSnapshotRequest {
  StateRef state = Version(0);
};

struct SnapshotInfo {
  std::shared_ptr<const SnapshotRecord> record;
  bool durable = false;  // Whether it would survive a crash now.
};

// A part of a history, newest first.
struct ListSnapshotsRequest {
  // The ancestors of a state, itself first; or all of a model.
  struct Model {
    std::string name;
  };
  std::variant<StateRef, Model> of = StateRef(Version(0));
  absl::Time begin_time = absl::InfinitePast();  // Made at that time or later,
  absl::Time end_time = absl::InfiniteFuture();  // and before that one.
  Labels labels;                                 // That a snapshot must have, among others.
  std::optional<Version> after;                  // Go on where the page before ended: its `next_after`.
  size_t limit = 100;                            // At least 1.
  CallContext call;
};

struct ListSnapshotsResult {
  std::vector<SnapshotInfo> snapshots;  // Fewer than the limit, even none, where few of many fit.
  std::optional<Version> next_after;    // Absent on the last page.
};

struct UpdateSnapshotRequest {
  Version version{0};
  std::optional<Labels> labels;  // Absent: as they are.
  std::optional<bool> pinned;
  std::string request_id;
  std::optional<Durability> durability;
  CallContext call;
};

struct DeleteSnapshotsRequest {
  std::vector<Version> versions;  // At least one.
  std::string request_id;
  std::optional<Durability> durability;
  CallContext call;
};

struct DeleteSnapshotsResult {
  int64_t freed_bytes = 0;  // Of arrays that no snapshot refers to any more.
};

struct CreateBranchRequest {
  std::string name;
  StateRef state = Version(0);  // Becomes the head.
  Labels labels;
  absl::Time expire_time = absl::InfiniteFuture();
  std::optional<RetentionPolicy> retention;  // Absent: its model's.
  std::string request_id;
  std::optional<Durability> durability;
  CallContext call;
};

struct GetBranchRequest {
  std::string name;
};

struct ListBranchesRequest {
  std::string prefix;
  std::string after;   // Go on where the page before ended: its `next_after`.
  size_t limit = 100;  // At least 1.
};

struct ListBranchesResult {
  std::vector<BranchRecord> branches;     // By name; fewer than the limit where some have expired.
  std::optional<std::string> next_after;  // Absent on the last page.
};

// What is absent stays as it is.
struct UpdateBranchRequest {
  std::string name;
  std::optional<StateRef> head;
  std::optional<Version> expected_head;  // Must be the head before.
  std::optional<Labels> labels;
  std::optional<absl::Time> expire_time;                    // InfiniteFuture: never.
  std::optional<std::optional<RetentionPolicy>> retention;  // Within, absent: its model's.
  std::string request_id;
  std::optional<Durability> durability;
  CallContext call;
};

struct DeleteBranchRequest {
  std::string name;
  std::optional<Version> expected_head;
  std::string request_id;
  std::optional<Durability> durability;
  CallContext call;
};

// Every branch whose name starts so; "" is all.
struct BranchPrefix {
  std::string value;
};
// They need not exist: a branch is watched from its creation on.
using WatchedBranches = std::variant<BranchName, BranchPrefix>;

// The place of a move among all moves, in the order of commits.
struct MovePosition {
  int64_t value = 0;
};

struct WatchBranchesRequest {
  WatchedBranches of = BranchPrefix{};
  // Where to start: after the move with a position, or after the last move of a watched branch to a version;
  // neither: with the next move.
  std::variant<std::monostate, Version, MovePosition> after;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_REQUESTS_H_
