#include "stepwell/engine/transition.h"

#include "absl/status/status.h"
#include "stepwell/engine/errors.h"
#include "stepwell/storage/errors.h"

namespace stepwell {

void Transition::Start() {
  if (absl::Status labelled = CheckLabels(target_.labels); !labelled.ok()) return End(std::move(labelled));
  if (const auto* branch = std::get_if<BranchName>(&target_.state)) {
    const absl::Status entered =
        context_.queues->Enter(branch->value, [self = shared_from_this()] { self->TakeTurn(); });
    if (!entered.ok()) End(entered);
    return;
  }
  if (target_.expected_head.has_value()) {
    return End(absl::InvalidArgumentError(
        "expected_head is given with a version; expected it with a branch, whose head it is"));
  }
  GetBase(std::get<Version>(target_.state));
}

void Transition::TakeTurn() {
  turn_ = std::get<BranchName>(target_.state).value;
  const absl::Status waits = target_.call.Check();
  if (!waits.ok()) return End(waits);
  context_.branches->Read(*turn_, [self = shared_from_this()](absl::StatusOr<BranchRecord> branch) {
    self->OnHead(std::move(branch));
  });
}

void Transition::OnHead(absl::StatusOr<BranchRecord> branch) {
  if (!branch.ok()) return End(branch.status());
  if (target_.expected_head.has_value() && *target_.expected_head != branch->head) {
    return End(HeadMoved(branch->name, *target_.expected_head, branch->head));
  }
  GetBase(branch->head);
}

void Transition::GetBase(Version version) {
  context_.cache->GetToStep(
      version, [self = shared_from_this()](absl::StatusOr<std::shared_ptr<const Snapshot>> base) {
        self->OnBase(std::move(base));
      });
}

void Transition::OnBase(absl::StatusOr<std::shared_ptr<const Snapshot>> base) {
  if (!base.ok()) return End(base.status());
  absl::StatusOr<FittedState> fitted =
      FittedState::Fit(*context_.models, *base, target_.revision, target_.adapt_state);
  if (!fitted.ok()) {
    if (!WaitsForRevision(*base)) End(fitted.status());
    return;
  }
  base_ = *std::move(fitted);
  const absl::Status prepared = Prepare();
  if (!prepared.ok()) return End(prepared);

  const absl::Duration expected = ComputeTime();
  if (expected > absl::ZeroDuration() && expected <= context_.inline_limit) return Run();
  Wait();
}

bool Transition::WaitsForRevision(const std::shared_ptr<const Snapshot>& base) {
  if (base == nullptr) return false;  // The revision was found, and the state does not fit it.
  const SnapshotOrigin& origin = *base->record().origin;
  const std::optional<int64_t> revision = FittedState::Revision(origin, target_.revision);
  if (!revision.has_value()) return false;
  WorkerPool::Task loaded = [pool = context_.pool, self = shared_from_this(), base = base]() mutable {
    // Not on the loader's thread, which others wait for.
    pool->Schedule(
        [self = std::move(self), base = std::move(base)]() mutable { self->OnBase(std::move(base)); });
  };
  return context_.models->LoadKept(origin.model, *revision, loaded);
}

void Transition::Wait() {
  WorkerPool::Task run = [self = shared_from_this()] { self->Run(); };
  if (!context_.pool->TrySchedule(run)) End(QueueFull("the workers' queue", context_.max_queued));
}

void Transition::Run() {
  const absl::Status waits = target_.call.Check();
  if (!waits.ok()) return End(waits);
  absl::StatusOr<NewVersions> versions = Compute();
  if (EndsWithout(versions)) return;
  SnapshotWrite write;
  FillWrite(write, *std::move(versions));
  context_.writer->Write(std::move(write));
}

void Transition::Conclude(absl::StatusOr<NewVersions>&& versions, std::vector<SnapshotWrite>& writes) {
  if (!EndsWithout(versions)) FillWrite(writes.emplace_back(), *std::move(versions));
}

bool Transition::EndsWithout(const absl::StatusOr<NewVersions>& versions) {
  if (!versions.ok()) {
    End(versions.status());
  } else if (!versions->empty()) {
    return false;
  } else if (target_.request.has_value()) {
    RememberAlone();
  } else {
    End(base_.snapshot());
  }
  return true;
}

void Transition::FillWrite(SnapshotWrite& write, NewVersions&& versions) {
  FillDraft(write.draft, std::move(versions));
  write.durability = durability();
  write.visible = [self = shared_from_this()](absl::StatusOr<Snapshots> made) {
    self->OnVisible(std::move(made));
  };
  write.durable = [self = shared_from_this()](absl::Status durable) { self->OnDurable(std::move(durable)); };
}

void Transition::FillDraft(SnapshotDraft& draft, NewVersions&& versions) {
  draft.parent = base_.snapshot();
  draft.laid_out = base_.laid_out();
  draft.model = base_.model();
  draft.method = method();
  draft.labels = std::move(target_.labels);
  draft.versions = std::move(versions);
  draft.move_branch = turn_;
  draft.request = std::move(target_.request);
}

std::optional<RequestRecord> Transition::ToRequestRecord() const {
  if (!target_.request.has_value()) return std::nullopt;
  RequestRecord request = target_.request->ToRecord(context_.clock->Now());
  request.base = base_.snapshot()->version();
  request.revision = model().revision();
  request.versions = {base_.snapshot()->version()};
  return request;
}

void Transition::OnVisible(absl::StatusOr<Snapshots>&& made) {
  if (!made.ok()) return End(made.status());
  made_ = *std::move(made);
  LeaveTurn();  // The next step of the branch need not wait for this one's disk.
  if (durability() == Durability::kSync) TellVisible();
}

void Transition::OnDurable(absl::Status durable) {
  if (!durable.ok()) return End(std::move(durable));
  End(made_.empty() ? base_.snapshot() : made_.back());
}

// No version was minted, and a repeat is still to be told what was read.
void Transition::RememberAlone() {
  CommitBatch batch;
  batch.requests.push_back(*ToRequestRecord());
  context_.store->Commit(
      std::move(batch), durability(),
      [self = shared_from_this()](absl::Status visible) {
        if (!visible.ok()) self->End(std::move(visible));
      },
      [self = shared_from_this()](absl::Status durable) { self->OnDurable(std::move(durable)); });
}

void Transition::LeaveTurn() {
  if (!turn_.has_value()) return;
  context_.queues->Leave(*turn_);
  turn_.reset();
}

void Transition::End(absl::StatusOr<std::shared_ptr<const Snapshot>> result) {
  LeaveTurn();
  Finish(std::move(result));
}

}  // namespace stepwell
