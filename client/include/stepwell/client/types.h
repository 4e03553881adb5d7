#ifndef STEPWELL_CLIENT_TYPES_H_
#define STEPWELL_CLIENT_TYPES_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "stepwell/array/array.h"
#include "stepwell/array/slice.h"

namespace stepwell::client {

/// A snapshot's key: positive, unique in a server's store, never reused.
struct Version {
  int64_t value = 0;
  friend bool operator==(Version, Version) = default;
};

/// A branch, wherever it stands when the call runs.
struct BranchName {
  std::string value;
};

/// Which state: that snapshot, or a branch's head.
using StateRef = std::variant<Version, BranchName>;

/// Arrays by name: a method's inputs or outputs, or state arrays under their index.
using NamedArrays = std::vector<std::pair<std::string, Array>>;

/// What a user writes on snapshots and branches.
using Labels = std::map<std::string, std::string>;

/// When a mutation is acknowledged.
enum class Durability {
  kServerDefault,
  kAsync,  ///< Once other calls can see it.
  kSync,   ///< Once it survives a crash of the server.
};

/// One state array, by its key path such as `layers[0].norm.running_mean`.
struct IndexPath {
  std::string value;
};
/// One state array, by its place in the state spec, from 0.
struct IndexPosition {
  int value = 0;
};
/// Every state array at or below a key path, in the order of the state spec; "" is all.
struct IndexSubtree {
  std::string value;
};
using Index = std::variant<IndexPath, IndexPosition, IndexSubtree>;

/// State arrays, whole or in part.
struct ArraySelector {
  Index index;
  std::vector<Slice> slices;  ///< One for each axis from the outermost; axes beyond them are taken whole.
};

/// A model, or one of its revisions.
struct ModelRef {
  // NOLINTBEGIN(google-explicit-constructor): a name alone is the whole model.
  ModelRef(std::string model) : name(std::move(model)) {}
  ModelRef(const char* model) : name(model) {}
  // NOLINTEND(google-explicit-constructor)
  ModelRef(std::string model, std::optional<int64_t> of) : name(std::move(model)), revision(of) {}

  std::string name;
  std::optional<int64_t> revision;  ///< Absent: the newest, or all of them.
};

/// A package on this machine that a server is to have.
struct UploadModelRequest {
  std::filesystem::path package;  ///< A folder with a model.textproto, or a lone .onnx file.
  std::string name;               ///< Of the model; empty: the folder's, or the file's without ".onnx".
  bool replace = false;           ///< Also where a package of that name is there: as its next revision.
  std::string digest;             ///< As v1::ModelInfo::digest, for the server to check; empty: unchecked.
};

/// Which revision of its model steps a state.
struct SameRevision {};    ///< The one that made the snapshot.
struct NewestRevision {};  ///< That the server has loaded.
using RevisionChoice = std::variant<SameRevision, NewestRevision, int64_t>;

struct MakeStateRequest {
  std::string model;
  std::optional<int64_t> revision;    ///< Absent: the newest.
  NamedArrays arrays;                 ///< Replace initial values, by index.
  std::optional<uint64_t> rng_seed;   ///< For models with RNG keys.
  std::optional<std::string> branch;  ///< To create, with the new snapshot as its head.
  Labels labels;
  std::string request_id;  ///< Makes the call safe to repeat; see StepRequest.
  Durability durability = Durability::kServerDefault;
};

struct StepRequest {
  StateRef state;
  std::string method = "step";
  NamedArrays inputs;
  std::vector<std::string> output_names;  ///< Outputs to return; empty: all.
  std::vector<ArraySelector> fetch;       ///< State arrays after the step, to return with it.
  bool keep = true;                       ///< False: compute, make no snapshot.
  bool check_finite = false;              ///< Fail when the new state would have a NaN or an infinity.
  RevisionChoice revision;   ///< A state of another one must fit its state spec; see `adapt_state`.
  bool adapt_state = false;  ///< Make it fit: indices that it lacks get initial values, those that the
                             ///< revision does not have are left out.
  std::optional<Version> expected_head;  ///< Step only if the branch's head is this version.
  Labels labels;
  std::string request_id;  ///< Up to 128 bytes, such as a UUID: the call may then be repeated, and is when it
                           ///< fails with UNAVAILABLE.
  Durability durability = Durability::kServerDefault;
};

struct StepResult {
  Version version;      ///< That was made; of a pure method or without `keep`, the one that was read.
  NamedArrays outputs;  ///< In the order asked for, or the method's.
  NamedArrays fetched;  ///< In the order of StepRequest::fetch.
};

/// Steps of several states in one call, each by itself or all as one. Their request_id and durability must be
/// as they are by default; those of the batch count.
struct BatchStepRequest {
  std::vector<StepRequest> steps;
  bool all_or_nothing = false;  ///< Commit every step as one, or none when one fails; then no branch twice.
  std::string request_id;       ///< For the whole; a repeat steps only what failed before.
  Durability durability = Durability::kServerDefault;
};

struct BatchStepResult {
  std::vector<absl::StatusOr<StepResult>> results;  ///< In the order of the steps.
};

struct ScanRequest {
  StateRef state;
  std::string method = "step";
  NamedArrays inputs;                     ///< Each with one more axis, outermost, of the steps.
  int64_t step_count = 0;                 ///< Needed where the method has no inputs.
  std::vector<std::string> output_names;  ///< Outputs to return; empty: all.
  int64_t keep_every = 0;            ///< Keep the last version alone (0), or every k-th (k) and the last.
  std::vector<ArraySelector> fetch;  ///< State arrays after the last step.
  bool check_finite = false;         ///< Fail when a step would write a NaN or an infinity.
  RevisionChoice revision;           ///< Of all steps; see StepRequest.
  bool adapt_state = false;
  std::optional<Version> expected_head;
  Labels labels;  ///< Of each new snapshot.
  std::string request_id;
  Durability durability = Durability::kServerDefault;
};

struct ScanResult {
  std::vector<Version> versions;  ///< That were kept, oldest first; of a pure method, the one that was read.
  NamedArrays outputs;            ///< Each with one more axis, outermost, of the steps.
  NamedArrays fetched;
};

struct SetArraysRequest {
  StateRef state;
  std::vector<std::pair<Index, Array>> arrays;  ///< No subtrees. None: move the state to `revision` as it is.
  RevisionChoice revision;                      ///< See StepRequest.
  bool adapt_state = false;
  std::optional<Version> expected_head;
  Labels labels;
  std::string request_id;
  Durability durability = Durability::kServerDefault;
};

struct GetArraysRequest {
  StateRef state;
  std::vector<ArraySelector> selectors;  ///< None: every array, whole.
};

struct GetArraysResult {
  Version version;     ///< That was read.
  NamedArrays arrays;  ///< In the order of the selectors.
};

struct DiffSnapshotsRequest {
  StateRef from;
  StateRef to;
  std::optional<Index> index;  ///< Only these arrays; absent: all. A position is in the state spec of `to`.
  bool include_same = false;   ///< List the arrays that do not differ, too.
};

/// A part of a history, newest first.
struct ListSnapshotsRequest {
  std::variant<StateRef, std::string> of;  ///< The ancestors of a state, itself first; or all of that model.
  absl::Time begin_time = absl::InfinitePast();  ///< Only those made at that time or later,
  absl::Time end_time = absl::InfiniteFuture();  ///< and before that one.
  Labels labels;                                 ///< Only those with these labels, among others.
  int page_size = 0;                             ///< 0: the server's choice.
  std::string page_token;                        ///< next_page_token of the reply before.
};

/// What is absent stays as it is.
struct UpdateSnapshotRequest {
  Version version;
  std::optional<Labels> labels;
  std::optional<bool> pinned;
  std::string request_id;
  Durability durability = Durability::kServerDefault;
};

struct DeleteSnapshotsRequest {
  std::vector<Version> versions;  ///< At least one.
  std::string request_id;
  Durability durability = Durability::kServerDefault;
};

/// Which snapshots of a branch are kept: those that any of the rules keeps; without any, all.
struct RetentionPolicy {
  std::optional<int64_t> keep_last;       ///< The newest so many.
  std::optional<int64_t> keep_every;      ///< Those whose step_count is a multiple of it.
  std::optional<absl::Duration> max_age;  ///< Those that were made less long ago.
};

struct CreateBranchRequest {
  std::string name;
  StateRef state;  ///< Becomes the head.
  Labels labels;
  absl::Time expire_time = absl::InfiniteFuture();  ///< When the name is forgotten.
  std::optional<RetentionPolicy> retention;         ///< Absent: its model's.
  std::string request_id;
  Durability durability = Durability::kServerDefault;
};

struct ListBranchesRequest {
  std::string prefix;
  int page_size = 0;       ///< 0: the server's choice.
  std::string page_token;  ///< next_page_token of the reply before.
};

/// What is absent stays as it is.
struct UpdateBranchRequest {
  std::string name;
  std::optional<StateRef> head;
  std::optional<Version> expected_head;  ///< Only if the head is this version.
  std::optional<Labels> labels;
  std::optional<absl::Time> expire_time;                    ///< InfiniteFuture: never.
  std::optional<std::optional<RetentionPolicy>> retention;  ///< Within, absent: its model's.
  std::string request_id;
  Durability durability = Durability::kServerDefault;
};

struct DeleteBranchRequest {
  std::string name;
  std::optional<Version> expected_head;
  std::string request_id;
  Durability durability = Durability::kServerDefault;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_TYPES_H_
