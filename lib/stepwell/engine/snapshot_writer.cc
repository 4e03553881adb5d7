#include "stepwell/engine/snapshot_writer.h"

#include <vector>

namespace stepwell {

std::shared_ptr<const Snapshot> SnapshotWriter::Build(SnapshotDraft& draft, Version version) const {
  auto record = std::make_shared<SnapshotRecord>();
  std::vector<Array> arrays;
  record->version = version;
  record->model = draft.model->name();
  record->revision = draft.model->revision();
  if (draft.method != nullptr) record->method = draft.method->name();
  record->create_time = clock_->Now();
  record->labels = std::move(draft.labels);
  if (draft.parent != nullptr) {
    const SnapshotRecord& parent = draft.parent->record();
    record->parent = parent.version;
    record->step_count = parent.step_count + (draft.method == nullptr ? 0 : 1);
    record->state_bytes = parent.state_bytes;
    record->writers = parent.writers;
    arrays.assign(draft.parent->arrays().begin(), draft.parent->arrays().end());
  } else {
    record->writers.assign(draft.written.size(), version);
    arrays.resize(draft.written.size());
  }
  for (const auto& [position, array] : draft.written) {
    Array& place = arrays[static_cast<size_t>(position)];
    record->state_bytes += array.byte_count() - place.byte_count();
    record->new_bytes += array.byte_count();
    record->writers[static_cast<size_t>(position)] = version;
    place = array;
  }
  return std::make_shared<const Snapshot>(std::move(record), std::move(arrays));
}

void SnapshotWriter::Write(SnapshotDraft draft, Durability durability, SnapshotCallback visible,
                           Store::DoneCallback durable) {
  const std::optional<Version> at_hand = versions_->TryNext();
  if (at_hand.has_value()) {
    return Commit(*at_hand, std::move(draft), durability, std::move(visible), std::move(durable));
  }
  versions_->Next([this, draft = std::move(draft), durability, visible = std::move(visible),
                   durable = std::move(durable)](absl::StatusOr<Version> version) mutable {
    if (!version.ok()) return std::move(visible)(version.status());
    Commit(*version, std::move(draft), durability, std::move(visible), std::move(durable));
  });
}

void SnapshotWriter::Commit(Version version, SnapshotDraft&& draft, Durability durability,
                            SnapshotCallback&& visible, Store::DoneCallback&& durable) {
  std::shared_ptr<const Snapshot> snapshot = Build(draft, version);
  const absl::Time now = snapshot->record().create_time;

  CommitBatch batch;
  batch.snapshots.push_back({snapshot->shared_record(), std::move(draft.written)});
  if (draft.move_branch.has_value()) {
    batch.branch_moves.push_back({*std::move(draft.move_branch), draft.parent->version(), version, now});
  }
  if (draft.new_branch.has_value()) {
    BranchRecord& branch = batch.new_branches.emplace_back(*std::move(draft.new_branch));
    branch.head = version;
    branch.create_time = branch.update_time = now;
  }
  store_->Commit(
      std::move(batch), durability,
      [this, snapshot = std::move(snapshot), visible = std::move(visible)](absl::Status status) mutable {
        if (!status.ok()) return std::move(visible)(std::move(status));
        cache_->Put(snapshot);
        std::move(visible)(std::move(snapshot));
      },
      std::move(durable));
}

}  // namespace stepwell
