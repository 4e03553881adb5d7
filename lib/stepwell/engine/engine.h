#ifndef STEPWELL_ENGINE_ENGINE_H_
#define STEPWELL_ENGINE_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "stepwell/base/clock.h"
#include "stepwell/base/worker_pool.h"
#include "stepwell/engine/branch_watch.h"
#include "stepwell/engine/branch_watches.h"
#include "stepwell/engine/branches.h"
#include "stepwell/engine/history.h"
#include "stepwell/engine/request_ids.h"
#include "stepwell/engine/requests.h"
#include "stepwell/engine/snapshot_export.h"
#include "stepwell/engine/snapshot_import.h"
#include "stepwell/engine/snapshot_writer.h"
#include "stepwell/engine/step_queues.h"
#include "stepwell/engine/transition.h"
#include "stepwell/engine/turn_queues.h"
#include "stepwell/model/repository.h"
#include "stepwell/state/retention.h"
#include "stepwell/state/snapshot_cache.h"
#include "stepwell/state/version_allocator.h"
#include "stepwell/storage/store.h"

namespace stepwell {

struct EngineOptions {
  int worker_threads = 2;               // That run models; at least 1.
  size_t max_queued_calls = 4096;       // Waiting for a worker; 0: none may wait.
  size_t max_queued_per_branch = 1024;  // Waiting for their turn on one branch.
  absl::Duration inline_limit = absl::Microseconds(
      50);  // A method that takes less runs on the calling thread: waking another costs as much.
  size_t max_cached_snapshots = 4096;  // Kept whole in memory in front of the store.
  // What the arrays of these may take together, also of those that a store in memory has as well; the newest
  // is kept, however large.
  int64_t max_cached_bytes = int64_t{1} << 30;
  int64_t version_block = 1024;                        // Version numbers reserved from the store at a time.
  Durability default_durability = Durability::kAsync;  // Where a request names none.
  int64_t max_branch_moves = 65536;                    // The last of all branches, kept for watches.
  int64_t max_watches = 1024;                          // Open at a time; 0: none may be.
  RetentionOptions retention;
};

// Stepwell without a network: makes states, steps them, reads their arrays. Every call is asynchronous: its
// callback runs exactly once, inside the call or later on another thread, never under a lock. Await (await.h)
// blocks instead. The destructor waits for calls under way. Errors are those of DESIGN: a call that fails has
// changed nothing, but for one whose durability was not reached, which says so. A mutation with a request_id
// is done once, however often it is asked for; INVALID_ARGUMENT (REQUEST_ID_REUSED) when the id came with
// another request. Thread-safe.
class Engine {
 public:
  template <typename T>
  using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  // `store`, `models` and `clock` are not owned and must outlive this.
  Engine(const EngineOptions& options, Store* store, ModelRepository* models, const Clock* clock);

  // A new root state with the model's initial values. NOT_FOUND: model, revision, index. INVALID_ARGUMENT: an
  // array that does not fit, a missing one, a bad branch name. FAILED_PRECONDITION: the model is not ready.
  // ALREADY_EXISTS: the branch.
  void MakeState(MakeStateRequest request, Callback<MakeStateResult> done);

  // Runs a method of a state's model on it, by the revision that made the state unless another is asked for.
  // NOT_FOUND: version, branch, model, revision, method, index. INVALID_ARGUMENT: inputs that do not fit the
  // method. FAILED_PRECONDITION: the state does not fit that revision, or the method wrote a NaN or infinity
  // and request or package ask for none. ABORTED: the branch's head is not the expected one.
  // RESOURCE_EXHAUSTED: a queue is full, or more than max_reply_bytes. INTERNAL: the model failed. CANCELLED,
  // DEADLINE_EXCEEDED: before it ran.
  void Step(StepRequest request, Callback<StepResult> done);

  // Steps of several states in one call, shared by all workers: a status for each, as Step's. Those of models
  // that declare batching run together. All or nothing: the steps are prepared and run by one worker, and
  // committed as one; when one fails, the others are ABORTED (BATCH_NOT_COMMITTED). INVALID_ARGUMENT: no
  // step, more than 100,000, or one with a request_id of its own; all or nothing, two on one branch.
  // RESOURCE_EXHAUSTED (QUEUE_FULL).
  void BatchStep(BatchStepRequest request, Callback<BatchStepResult> done);

  // Many steps in one call, committed as one: inputs are stacked on a new outermost axis, and so are outputs.
  // Errors as Step, those of a step with its number in the message and as metadata `step`; then nothing was
  // made. INVALID_ARGUMENT also: inputs of different lengths. FAILED_PRECONDITION (OUTPUTS_NOT_STACKABLE): an
  // output changes its shape from step to step. CANCELLED, DEADLINE_EXCEEDED: also between steps.
  void Scan(ScanRequest request, Callback<ScanResult> done);

  // A new version with some arrays replaced; or, where another revision is asked for, as it is. A state that
  // is of that revision already is answered with itself. Errors as Step.
  void SetArrays(SetArraysRequest request, Callback<std::shared_ptr<const Snapshot>> done);

  // Arrays or parts of them, also of a model that is unloaded. NOT_FOUND: version, branch, index.
  // OUT_OF_RANGE: a position or slice past the end. RESOURCE_EXHAUSTED: more than max_reply_bytes.
  void GetArrays(GetArraysRequest request, Callback<GetArraysResult> done);

  // What is known of a snapshot but for its arrays. NOT_FOUND: version, branch.
  void GetSnapshot(const GetSnapshotRequest& request, Callback<SnapshotInfo> done) {
    history_.Get(request, std::move(done));
  }

  // A page of a history, newest first. NOT_FOUND: version, branch.
  void ListSnapshots(ListSnapshotsRequest request, Callback<ListSnapshotsResult> done) {
    history_.List(std::move(request), std::move(done));
  }

  // Changes what is said of a snapshot, never its state. NOT_FOUND: version.
  void UpdateSnapshot(UpdateSnapshotRequest request, Callback<SnapshotInfo> done);

  // Deletes snapshots for good, all or none of them. What descends from them, or shares their arrays, stays
  // whole. NOT_FOUND: version (SNAPSHOT_EVICTED when it was deleted before). FAILED_PRECONDITION: one is
  // pinned or a branch's head. INVALID_ARGUMENT: none, or more than 10,000.
  void DeleteSnapshots(DeleteSnapshotsRequest request, Callback<DeleteSnapshotsResult> done);

  // How two snapshots differ, index by index, also of different revisions or models: arrays are matched by
  // their index, and those that both share are not read. NOT_FOUND: version, branch, model; an index that
  // neither has. OUT_OF_RANGE: a position. RESOURCE_EXHAUSTED: a queue is full. CANCELLED, DEADLINE_EXCEEDED.
  void DiffSnapshots(DiffSnapshotsRequest request, Callback<DiffSnapshotsResult> done);

  // Whether the snapshot under `version` would survive a crash now.
  bool IsDurable(Version version) const { return store_->IsDurable(version); }

  // A branch whose head is an existing version: copies nothing. NOT_FOUND: version. ALREADY_EXISTS.
  // INVALID_ARGUMENT: the name, the retention.
  void CreateBranch(CreateBranchRequest request, Callback<BranchRecord> done);

  // NOT_FOUND.
  void GetBranch(const GetBranchRequest& request, Callback<BranchRecord> done) {
    branches_.Read(request.name, std::move(done));
  }

  // A page of the branches, by name.
  void ListBranches(ListBranchesRequest request, Callback<ListBranchesResult> done) {
    branches_.List(std::move(request), std::move(done));
  }

  // Waits for its turn among the steps on the branch. NOT_FOUND: branch, version. ABORTED: the head is not
  // the expected one. FAILED_PRECONDITION: the new head is another model's. RESOURCE_EXHAUSTED: the branch's
  // queue is full. INVALID_ARGUMENT: the retention. CANCELLED, DEADLINE_EXCEEDED: before its turn.
  void UpdateBranch(UpdateBranchRequest request, Callback<BranchRecord> done);

  // Forgets the name, in its turn; the snapshots stay. Answers with what the branch was. Errors as
  // UpdateBranch.
  void DeleteBranch(DeleteBranchRequest request, Callback<BranchRecord> done);

  // Watches the moves of some branches, which need not exist. INVALID_ARGUMENT: the name. OUT_OF_RANGE: the
  // moves after that version or position are forgotten. RESOURCE_EXHAUSTED: a queue is full, or too many
  // watches are open. The watch must not outlive this.
  void WatchBranches(WatchBranchesRequest request, Callback<std::unique_ptr<BranchWatch>> done);

  // Deletes the branches that have expired. They are not to be seen before that either, but take memory: call
  // it from time to time.
  void DropExpired() { branches_.DropExpired(); }

  // Reads a state, or one with its ancestors, for another engine: see SnapshotExport. Waits for the store.
  // NOT_FOUND: version, branch. The export must not outlive this.
  absl::StatusOr<std::unique_ptr<SnapshotExport>> ExportSnapshots(const ExportSnapshotsRequest& request) {
    return SnapshotExport::Open(request, &branches_, store_, models_);
  }

  // Makes what another engine has exported: see SnapshotImport. Waits for the store. The import must not
  // outlive this.
  absl::StatusOr<std::unique_ptr<SnapshotImport>> ImportSnapshots(const ImportSnapshotsRequest& request) {
    return SnapshotImport::Open({.store = store_,
                                 .models = models_,
                                 .cache = &cache_,
                                 .writer = &writer_,
                                 .versions = &versions_,
                                 .request_ids = &request_ids_,
                                 .retention = &retention_,
                                 .clock = clock_,
                                 .default_durability = options_.default_durability},
                                request);
  }

  // Does the next small part of dropping what is not to be kept, as Retention says it, and waits for the
  // store in it; returns the pause until the part after it. To be called by one thread at a time. Errors are
  // the store's; go on after options.retention.pause.
  absl::StatusOr<absl::Duration> Retain() { return retention_.Work(); }

 private:
  // Answers `request` by `run`(request, key to remember it under, if any, done), or where that was done
  // already, by `repeat`(request, what was done, done).
  template <typename Request, typename Result, typename Run, typename Repeat>
  void Once(Request&& request, Callback<Result>&& done, Run run, Repeat repeat);
  template <typename Request, typename Result, typename Run, typename Repeat>
  void OnceUnder(const RequestKey& key, Request&& request, Callback<Result>&& done, Run run, Repeat repeat);
  template <typename Request>
  void ChangeBranch(Request request, Callback<BranchRecord> done,
                    void (Branches::*change)(Request, std::optional<RequestKey>, Callback<BranchRecord>));

  void MakeNewState(MakeStateRequest request, std::optional<RequestKey> key, Callback<MakeStateResult> done);
  void StartBatch(BatchStepRequest request, const std::optional<RequestKey>& key,
                  Callback<BatchStepResult> done);
  void StepInBatch(StepRequest&& request, const std::optional<RequestKey>& key,
                   const std::shared_ptr<StepGatherer>& gatherer, Callback<StepResult>&& done);
  void RepeatStep(StepRequest request, const RequestRecord& record, Callback<StepResult> done);

  void ReadArrays(GetArraysRequest request, std::shared_ptr<const Snapshot> snapshot,
                  Callback<GetArraysResult> done);

  const EngineOptions options_;
  Store* const store_;
  ModelRepository* const models_;
  const Clock* const clock_;
  BranchWatches watches_;
  SnapshotCache cache_;
  VersionAllocator versions_;
  SnapshotWriter writer_;
  TurnQueues queues_;
  RequestIds request_ids_;
  Branches branches_;
  History history_;
  Retention retention_;
  StepQueues step_queues_;
  const TransitionContext context_;
  const TransitionContext batch_context_;
  WorkerPool pool_;  // Last, so that what is queued still runs, with all of the above, when this goes.
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_ENGINE_H_
