#include "stepwell/engine/engine.h"

#include <string>
#include <utility>
#include <vector>

#include "stepwell/engine/atomic_batch.h"
#include "stepwell/engine/batch_request.h"
#include "stepwell/engine/batch_step.h"
#include "stepwell/engine/diff.h"
#include "stepwell/engine/errors.h"
#include "stepwell/engine/request_digest.h"
#include "stepwell/engine/scan.h"
#include "stepwell/engine/selection.h"
#include "stepwell/engine/set_arrays.h"
#include "stepwell/engine/step.h"

namespace stepwell {
namespace {

// Copying more than this for a slice is left to a worker.
constexpr int64_t kMaxInlineCopy = int64_t{256} << 10;

// Of the models that are loaded; of any other, it cannot be told what its package says.
Retention::Policies RetentionOf(const ModelRepository& models, const RetentionPolicy& otherwise) {
  Retention::Policies policies;
  for (const ModelStatus& status : models.List()) {
    if (status.model == nullptr) continue;
    policies.emplace(status.name, status.model->retention().value_or(otherwise));
  }
  return policies;
}

// For the steps of a batch, which go to its gatherer however little they take.
TransitionContext InBatch(TransitionContext context) {
  context.inline_limit = absl::ZeroDuration();
  return context;
}

}  // namespace

Engine::Engine(const EngineOptions& options, Store* store, ModelRepository* models, const Clock* clock)
    : options_(options),
      store_(store),
      models_(models),
      clock_(clock),
      watches_(store, clock, options.max_branch_moves, options.max_watches),
      cache_(store, options.max_cached_snapshots, options.max_cached_bytes),
      versions_(store, options.version_block),
      writer_(store, &cache_, &versions_, clock),
      queues_("branch", &pool_, options.max_queued_per_branch),
      request_ids_(store, &pool_, clock, options.max_queued_per_branch),
      branches_(store, &queues_, clock, options.default_durability),
      history_(store, &cache_, &branches_, clock, options.default_durability),
      retention_(options.retention, store, &cache_, clock,
                 [this] { return RetentionOf(*models_, options_.retention.policy); }),
      step_queues_(&pool_, &writer_),
      context_{.store = store,
               .models = models,
               .cache = &cache_,
               .writer = &writer_,
               .branches = &branches_,
               .queues = &queues_,
               .step_queues = &step_queues_,
               .pool = &pool_,
               .clock = clock,
               .inline_limit = options.inline_limit,
               .max_queued = options.max_queued_calls,
               .default_durability = options.default_durability},
      batch_context_(InBatch(context_)),
      pool_(options.worker_threads, options.max_queued_calls) {}

template <typename Request, typename Result, typename Run, typename Repeat>
void Engine::Once(Request&& request, Callback<Result>&& done, Run run, Repeat repeat) {
  if (request.request_id.empty()) return run(std::forward<Request>(request), std::nullopt, std::move(done));
  const absl::Status valid = RequestIds::CheckId(request.request_id);
  if (!valid.ok()) return std::move(done)(valid);
  const RequestKey key{request.request_id, DigestOf(request)};
  OnceUnder(key, std::forward<Request>(request), std::move(done), std::move(run), std::move(repeat));
}

template <typename Request, typename Result, typename Run, typename Repeat>
void Engine::OnceUnder(const RequestKey& key, Request&& request, Callback<Result>&& done, Run run,
                       Repeat repeat) {
  const CallContext call = request.call;
  request_ids_.Enter(key, call,
                     [this, key = RequestKey(key), request = std::forward<Request>(request),
                      done = std::move(done), run = std::move(run), repeat = std::move(repeat)](
                         absl::StatusOr<std::shared_ptr<const RequestRecord>> known) mutable {
                       if (!known.ok()) return std::move(done)(known.status());
                       Callback<Result> leave = [this, id = key.id, done = std::move(done)](
                                                    absl::StatusOr<Result> result) mutable {
                         request_ids_.Leave(id);
                         std::move(done)(std::move(result));
                       };
                       if (*known == nullptr)
                         return run(std::move(request), std::move(key), std::move(leave));
                       repeat(std::move(request), **known, std::move(leave));
                     });
}

void Engine::MakeState(MakeStateRequest request, Callback<MakeStateResult> done) {
  Once(
      std::move(request), std::move(done),
      [this](MakeStateRequest&& first, std::optional<RequestKey> key, Callback<MakeStateResult>&& made) {
        MakeNewState(std::move(first), std::move(key), std::move(made));
      },
      [this](const MakeStateRequest&, const RequestRecord& record, Callback<MakeStateResult> made) {
        cache_.Get(record.versions.front(),
                   [branch = record.branch, made = std::move(made)](
                       absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot) mutable {
                     if (!snapshot.ok()) return std::move(made)(snapshot.status());
                     std::move(made)(MakeStateResult{*std::move(snapshot), std::move(branch)});
                   });
      });
}

void Engine::MakeNewState(MakeStateRequest request, std::optional<RequestKey> key,
                          Callback<MakeStateResult> done) {
  const absl::Status waits = request.call.Check();
  if (!waits.ok()) return std::move(done)(waits);
  if (request.branch.has_value()) {
    const absl::Status named = CheckBranchName(*request.branch);
    if (!named.ok()) return std::move(done)(named);
  }
  const absl::Status labelled = CheckLabels(request.labels);
  if (!labelled.ok()) return std::move(done)(labelled);
  const absl::StatusOr<std::shared_ptr<const Model>> model =
      request.revision.has_value() ? models_->Find(request.model, *request.revision)
                                   : models_->Find(request.model);
  if (!model.ok()) {
    // Perhaps it is kept, and not loaded yet.
    struct Waiting {
      MakeStateRequest request;
      std::optional<RequestKey> key;
      Callback<MakeStateResult> done;
    };
    auto waiting = std::make_shared<Waiting>(Waiting{std::move(request), std::move(key), std::move(done)});
    WorkerPool::Task loaded = [this, waiting] {
      pool_.Schedule([this, waiting] {
        MakeNewState(std::move(waiting->request), std::move(waiting->key), std::move(waiting->done));
      });
    };
    if (waiting->request.revision.has_value() &&
        models_->LoadKept(waiting->request.model, *waiting->request.revision, loaded)) {
      return;
    }
    return std::move(waiting->done)(model.status());
  }
  absl::StatusOr<std::vector<Array>> arrays =
      (*model)->state_spec().MakeInitial(request.arrays, request.rng_seed);
  if (!arrays.ok()) return std::move(done)(arrays.status());

  SnapshotWrite write{.durability = request.durability.value_or(options_.default_durability)};
  SnapshotDraft& draft = write.draft;
  draft.model = *model;
  draft.labels = std::move(request.labels);
  draft.request = std::move(key);
  WrittenArrays& written = draft.versions.emplace_back().written;
  for (size_t i = 0; i < arrays->size(); ++i) {
    written.emplace_back(static_cast<int>(i), std::move((*arrays)[i]));
  }
  if (request.branch.has_value())
    draft.new_branch = BranchRecord{.name = *request.branch, .model = (*model)->name()};

  // What is known once the snapshot is visible, and answered once it is as durable as asked.
  struct Pending {
    Callback<MakeStateResult> done;
    MakeStateResult result;
  };
  auto pending = std::make_shared<Pending>(Pending{std::move(done), {}});
  pending->result.branch = draft.new_branch;
  write.visible = [pending](const absl::StatusOr<Snapshots>& made) {
    if (!made.ok()) return std::move(pending->done)(made.status());
    pending->result.snapshot = made->back();
  };
  write.durable = [pending](absl::Status durable) {
    if (!durable.ok()) return std::move(pending->done)(std::move(durable));
    MakeStateResult& result = pending->result;
    if (result.branch.has_value()) {
      result.branch->head = result.snapshot->version();
      result.branch->create_time = result.branch->update_time = result.snapshot->record().create_time;
    }
    std::move(pending->done)(std::move(result));
  };
  writer_.Write(std::move(write));
}

void Engine::Step(StepRequest request, Callback<StepResult> done) {
  Once(
      std::move(request), std::move(done),
      [this](StepRequest&& first, std::optional<RequestKey> key, Callback<StepResult>&& stepped) {
        std::make_shared<stepwell::Step>(context_, std::move(first), std::move(key), std::move(stepped))
            ->Start();
      },
      [this](StepRequest again, const RequestRecord& record, Callback<StepResult> stepped) {
        RepeatStep(std::move(again), record, std::move(stepped));
      });
}

// Outputs are not kept: the same revision computes them again from the same base, which gives the same.
void Engine::RepeatStep(StepRequest request, const RequestRecord& record, Callback<StepResult> done) {
  request.state = *record.base;
  request.expected_head.reset();
  request.keep = false;
  request.revision = record.revision;
  std::make_shared<stepwell::Step>(
      context_, std::move(request), std::nullopt,
      [this, version = record.versions.front(),
       done = std::move(done)](absl::StatusOr<StepResult> result) mutable {
        if (!result.ok()) return std::move(done)(result.status());
        cache_.Get(version, [result = *std::move(result), done = std::move(done)](
                                absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot) mutable {
          if (!snapshot.ok()) return std::move(done)(snapshot.status());
          result.snapshot = *std::move(snapshot);
          std::move(done)(std::move(result));
        });
      })
      ->Start();
}

void Engine::BatchStep(BatchStepRequest request, Callback<BatchStepResult> done) {
  const absl::Status valid = CheckBatch(request);
  if (!valid.ok()) return std::move(done)(valid);
  Once(
      std::move(request), std::move(done),
      [this](BatchStepRequest&& first, std::optional<RequestKey> key, Callback<BatchStepResult>&& stepped) {
        if (first.all_or_nothing) {
          return std::make_shared<AtomicBatch>(batch_context_, std::move(first), key, std::move(stepped))
              ->Start();
        }
        if (!key.has_value()) return StartBatch(std::move(first), std::nullopt, std::move(stepped));
        // Remembered before any step is, so that the id belongs to this request from now on. It needs no sync
        // of its own: the log is in order, so that the first step that is synced takes it along, and while
        // none is there is nothing to be repeated.
        CommitBatch batch;
        batch.requests.push_back(key->ToRecord(clock_->Now()));
        auto shared = std::make_shared<std::pair<BatchStepRequest, Callback<BatchStepResult>>>(
            std::move(first), std::move(stepped));
        store_->Commit(
            std::move(batch), Durability::kAsync,
            [shared](absl::Status visible) {
              if (!visible.ok()) std::move(shared->second)(std::move(visible));
            },
            [this, shared, key](absl::Status durable) {
              if (!durable.ok()) return std::move(shared->second)(std::move(durable));
              StartBatch(std::move(shared->first), key, std::move(shared->second));
            });
      },
      // Each step answers from what is remembered of it, be it that all were committed as one.
      [this](BatchStepRequest again, const RequestRecord& record, Callback<BatchStepResult> stepped) {
        StartBatch(std::move(again), RequestKey{record.id, record.digest}, std::move(stepped));
      });
}

void Engine::StartBatch(BatchStepRequest request, const std::optional<RequestKey>& key,
                        Callback<BatchStepResult> done) {
  auto step_one = [this](StepRequest&& step, const std::optional<RequestKey>& step_key,
                         const std::shared_ptr<StepGatherer>& gatherer, Callback<StepResult> stepped) {
    StepInBatch(std::move(step), step_key, gatherer, std::move(stepped));
  };
  std::make_shared<stepwell::BatchStep>(context_, std::move(request), key, std::move(step_one),
                                        std::move(done))
      ->Start(options_.worker_threads);
}

void Engine::StepInBatch(StepRequest&& request, const std::optional<RequestKey>& key,
                         const std::shared_ptr<StepGatherer>& gatherer, Callback<StepResult>&& done) {
  auto run = [this, gatherer](StepRequest&& first, std::optional<RequestKey> first_key,
                              Callback<StepResult>&& stepped) {
    const auto step = std::make_shared<stepwell::Step>(batch_context_, std::move(first), std::move(first_key),
                                                       std::move(stepped));
    step->GatherIn(gatherer);
    step->Start();
  };
  if (!key.has_value()) return run(std::move(request), std::nullopt, std::move(done));
  OnceUnder(*key, std::move(request), std::move(done), std::move(run),
            [this](StepRequest again, const RequestRecord& record, Callback<StepResult> stepped) {
              RepeatStep(std::move(again), record, std::move(stepped));
            });
}

void Engine::Scan(ScanRequest request, Callback<ScanResult> done) {
  Once(
      std::move(request), std::move(done),
      [this](ScanRequest&& first, std::optional<RequestKey> key, Callback<ScanResult>&& scanned) {
        std::make_shared<stepwell::Scan>(context_, std::move(first), std::move(key), nullptr,
                                         std::move(scanned))
            ->Start();
      },
      [this](ScanRequest again, const RequestRecord& record, Callback<ScanResult> scanned) {
        std::make_shared<stepwell::Scan>(context_, std::move(again), std::nullopt, &record,
                                         std::move(scanned))
            ->Start();
      });
}

void Engine::SetArrays(SetArraysRequest request, Callback<std::shared_ptr<const Snapshot>> done) {
  using Done = Callback<std::shared_ptr<const Snapshot>>;
  Once(
      std::move(request), std::move(done),
      [this](SetArraysRequest&& first, std::optional<RequestKey> key, Done&& set) {
        std::make_shared<stepwell::SetArrays>(context_, std::move(first), std::move(key), std::move(set))
            ->Start();
      },
      [this](const SetArraysRequest&, const RequestRecord& record, Done set) {
        cache_.Get(record.versions.front(), std::move(set));
      });
}

void Engine::GetArrays(GetArraysRequest request, Callback<GetArraysResult> done) {
  const absl::Status waits = request.call.Check();
  if (!waits.ok()) return std::move(done)(waits);
  const StateRef state = request.state;
  branches_.Resolve(state, [this, request = std::move(request),
                            done = std::move(done)](absl::StatusOr<Version> version) mutable {
    if (!version.ok()) return std::move(done)(version.status());
    cache_.Get(*version, [this, request = std::move(request), done = std::move(done)](
                             absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot) mutable {
      if (!snapshot.ok()) return std::move(done)(snapshot.status());
      ReadArrays(std::move(request), *std::move(snapshot), std::move(done));
    });
  });
}

void Engine::ReadArrays(GetArraysRequest request, std::shared_ptr<const Snapshot> snapshot,
                        Callback<GetArraysResult> done) {
  absl::StatusOr<std::shared_ptr<const StateSpec>> spec =
      models_->FindStateSpec(snapshot->record().origin->model, snapshot->record().origin->revision);
  if (!spec.ok()) return std::move(done)(spec.status());
  auto selectors = std::make_shared<const std::vector<ArraySelector>>(std::move(request.selectors));
  absl::StatusOr<std::vector<Selected>> selected = Resolve(**spec, *selectors);
  if (!selected.ok()) return std::move(done)(selected.status());

  const int64_t copied = MaxCopiedBytes(*selected, snapshot->arrays());
  auto take = [spec = *std::move(spec), selectors, selected = *std::move(selected),
               snapshot = std::move(snapshot), limit = request.max_reply_bytes,
               done = std::move(done)]() mutable {
    absl::StatusOr<NamedArrays> arrays = Take(*spec, selected, snapshot->arrays());
    if (!arrays.ok()) return std::move(done)(arrays.status());
    const int64_t bytes = ByteCount(*arrays);
    if (bytes > limit) {
      return std::move(done)(ReplyTooLarge(bytes, limit, "read them with ReadArrays, or in slices"));
    }
    GetArraysResult result{std::move(snapshot), *std::move(arrays), {}};
    for (const Selected& one : selected) result.positions.push_back(one.position);
    std::move(done)(std::move(result));
  };
  if (copied <= kMaxInlineCopy) return take();
  pool_.Schedule(std::move(take));
}

void Engine::DiffSnapshots(DiffSnapshotsRequest request, Callback<DiffSnapshotsResult> done) {
  const absl::Status waits = request.call.Check();
  if (!waits.ok()) return std::move(done)(waits);
  const StateRef from_state = request.from;
  branches_.Resolve(from_state, [this, request = std::move(request),
                                 done = std::move(done)](absl::StatusOr<Version> from) mutable {
    if (!from.ok()) return std::move(done)(from.status());
    const StateRef to_state = request.to;
    branches_.Resolve(to_state, [this, from = *from, request = std::move(request),
                                 done = std::move(done)](absl::StatusOr<Version> to) mutable {
      if (!to.ok()) return std::move(done)(to.status());
      std::make_shared<Diff>(context_, from, *to, std::move(request), std::move(done))->Start();
    });
  });
}

void Engine::UpdateSnapshot(UpdateSnapshotRequest request, Callback<SnapshotInfo> done) {
  Once(
      std::move(request), std::move(done),
      [this](UpdateSnapshotRequest&& first, std::optional<RequestKey> key, Callback<SnapshotInfo>&& updated) {
        history_.Update(std::move(first), std::move(key), std::move(updated));
      },
      [this](const UpdateSnapshotRequest& again, const RequestRecord&, Callback<SnapshotInfo> updated) {
        history_.Get({again.version}, std::move(updated));
      });
}

void Engine::DeleteSnapshots(DeleteSnapshotsRequest request, Callback<DeleteSnapshotsResult> done) {
  Once(
      std::move(request), std::move(done),
      [this](DeleteSnapshotsRequest&& first, std::optional<RequestKey> key,
             Callback<DeleteSnapshotsResult>&& deleted) {
        history_.Delete(std::move(first), std::move(key), std::move(deleted));
      },
      [](const DeleteSnapshotsRequest&, const RequestRecord& record,
         Callback<DeleteSnapshotsResult> deleted) {
        std::move(deleted)(DeleteSnapshotsResult{record.freed_bytes});
      });
}

template <typename Request>
void Engine::ChangeBranch(Request request, Callback<BranchRecord> done,
                          void (Branches::*change)(Request, std::optional<RequestKey>,
                                                   Callback<BranchRecord>)) {
  Once(
      std::move(request), std::move(done),
      [this, change](Request&& first, std::optional<RequestKey> key, Callback<BranchRecord>&& changed) {
        (branches_.*change)(std::move(first), std::move(key), std::move(changed));
      },
      [](const Request&, const RequestRecord& record, Callback<BranchRecord> changed) {
        std::move(changed)(*record.branch);
      });
}

void Engine::CreateBranch(CreateBranchRequest request, Callback<BranchRecord> done) {
  ChangeBranch(std::move(request), std::move(done), &Branches::Create);
}

void Engine::UpdateBranch(UpdateBranchRequest request, Callback<BranchRecord> done) {
  ChangeBranch(std::move(request), std::move(done), &Branches::Update);
}

void Engine::DeleteBranch(DeleteBranchRequest request, Callback<BranchRecord> done) {
  ChangeBranch(std::move(request), std::move(done), &Branches::Delete);
}

void Engine::WatchBranches(WatchBranchesRequest request, Callback<std::unique_ptr<BranchWatch>> done) {
  const auto* branch = std::get_if<BranchName>(&request.of);
  if (branch != nullptr) {
    const absl::Status named = CheckBranchName(branch->value);
    if (!named.ok()) return std::move(done)(named);
  }
  const int64_t now = watches_.now();
  if (!std::holds_alternative<Version>(request.after)) {
    return std::move(done)(watches_.Open(request, now, std::nullopt));
  }
  // A version is looked for among all moves that are kept, which may take a millisecond.
  auto open = [this, now, request, done = std::move(done)](std::optional<Version> head) mutable {
    auto shared_done = std::make_shared<Callback<std::unique_ptr<BranchWatch>>>(std::move(done));
    WorkerPool::Task task = [this, now, request = std::move(request), shared_done, head] {
      std::move (*shared_done)(watches_.Open(request, now, head));
    };
    if (pool_.TrySchedule(task)) return;
    std::move (*shared_done)(QueueFull("the workers' queue", options_.max_queued_calls));
  };
  if (branch == nullptr) return open(std::nullopt);
  branches_.Read(branch->value, [open = std::move(open)](const absl::StatusOr<BranchRecord>& read) mutable {
    open(read.ok() ? std::make_optional(read->head) : std::nullopt);
  });
}

}  // namespace stepwell
