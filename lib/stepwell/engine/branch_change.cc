#include "stepwell/engine/branch_change.h"

#include "stepwell/engine/errors.h"
#include "stepwell/storage/errors.h"

namespace stepwell {

void BranchChange::Start() {
  const absl::Status entered =
      queues_->Enter(change_.update.name, [self = shared_from_this()] { self->TakeTurn(); });
  if (!entered.ok()) End(entered);
}

void BranchChange::TakeTurn() {
  has_turn_ = true;
  const absl::Status waits = change_.update.call.Check();
  if (!waits.ok()) return End(waits);
  branches_->Read(change_.update.name, [self = shared_from_this()](absl::StatusOr<BranchRecord> branch) {
    self->OnBranch(std::move(branch));
  });
}

void BranchChange::OnBranch(absl::StatusOr<BranchRecord> branch) {
  if (!branch.ok()) return End(branch.status());
  branch_ = *std::move(branch);
  const std::optional<Version>& expected = change_.update.expected_head;
  if (expected.has_value() && *expected != branch_.head) {
    return End(HeadMoved(branch_.name, *expected, branch_.head));
  }
  if (!change_.update.head.has_value()) return Commit();
  branches_->Resolve(*change_.update.head, [self = shared_from_this()](absl::StatusOr<Version> version) {
    if (!version.ok()) return self->End(version.status());
    self->store_->ReadSnapshot(*version, [self](absl::StatusOr<std::shared_ptr<const SnapshotRecord>> head) {
      self->OnNewHead(std::move(head));
    });
  });
}

void BranchChange::OnNewHead(absl::StatusOr<std::shared_ptr<const SnapshotRecord>> head) {
  if (!head.ok()) return End(head.status());
  if ((*head)->origin->model != branch_.model) {
    return End(OtherModel(branch_.name, branch_.model, (*head)->version, (*head)->origin->model));
  }
  new_head_ = (*head)->version;
  Commit();
}

void BranchChange::Commit() {
  CommitBatch batch;
  const absl::Time now = clock_->Now();
  if (change_.is_deletion) {
    batch.branch_deletions.push_back({.name = branch_.name, .expected_head = branch_.head, .time = now});
  } else {
    BranchUpdate& update = batch.branch_updates.emplace_back();
    update = {.name = branch_.name,
              .expected_head = branch_.head,
              .head = new_head_,
              .time = now,
              .labels = change_.update.labels,
              .expire_time = change_.update.expire_time,
              .retention = change_.update.retention};
    ApplyTo(branch_, update);
  }
  if (change_.key.has_value()) batch.requests.emplace_back(change_.key->ToRecord(now)).branch = branch_;
  store_->Commit(
      std::move(batch), change_.durability,
      [self = shared_from_this()](absl::Status visible) {
        if (!visible.ok()) return self->End(std::move(visible));
        self->LeaveTurn();
      },
      [self = shared_from_this()](absl::Status durable) {
        if (!durable.ok()) return self->End(std::move(durable));
        self->End(std::move(self->branch_));
      });
}

void BranchChange::LeaveTurn() {
  if (std::exchange(has_turn_, false)) queues_->Leave(change_.update.name);
}

void BranchChange::End(absl::StatusOr<BranchRecord> result) {
  LeaveTurn();
  std::move(done_)(std::move(result));
}

}  // namespace stepwell
