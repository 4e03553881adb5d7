#include "stepwell/engine/snapshot_export.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "stepwell/array/append.h"
#include "stepwell/storage/wait_for.h"

namespace stepwell {
namespace {

constexpr size_t kRecordsAtATime = 1000;

using Records = std::vector<std::shared_ptr<const SnapshotRecord>>;

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotExport>> SnapshotExport::Open(const ExportSnapshotsRequest& request,
                                                                     Branches* branches, Store* store,
                                                                     const ModelRepository* models) {
  const absl::StatusOr<Version> head =
      WaitFor<Version>([&](auto done) { branches->Resolve(request.state, std::move(done)); });
  if (!head.ok()) return head.status();
  const absl::StatusOr<Record> record =
      WaitFor<Record>([&](auto done) { store->ReadSnapshot(*head, std::move(done)); });
  if (!record.ok()) return record.status();
  auto opened = absl::WrapUnique(new SnapshotExport(store, models));
  opened->history_.model = (*record)->origin->model;
  opened->versions_ = {*head};
  absl::Status found = opened->AddRevision(*(*record)->origin);
  if (found.ok() && request.history) found = opened->FindAncestors();
  if (!found.ok()) return found;
  opened->history_.snapshot_count = std::ssize(opened->versions_);
  return opened;
}

absl::Status SnapshotExport::FindAncestors() {
  while (true) {
    // They begin with the last one that is known.
    const absl::StatusOr<Records> records = WaitFor<Records>(
        [this](auto done) { store_->ScanAncestors(versions_.back(), kRecordsAtATime, std::move(done)); });
    if (!records.ok()) return records.status();
    for (size_t i = 1; i < records->size(); ++i) {
      const absl::Status known = AddRevision(*(*records)[i]->origin);
      if (!known.ok()) return known;
      versions_.push_back((*records)[i]->version);
    }
    if (records->size() < kRecordsAtATime) return absl::OkStatus();
  }
}

absl::Status SnapshotExport::AddRevision(const SnapshotOrigin& origin) {
  for (const MovedHistory::Revision& known : history_.revisions) {
    if (known.number == origin.revision) return absl::OkStatus();
  }
  const absl::StatusOr<std::string> digest = models_->FindDigest(origin.model, origin.revision);
  if (!digest.ok()) return digest.status();
  history_.revisions.push_back({origin.revision, *digest});
  return absl::OkStatus();
}

absl::StatusOr<std::optional<MovedSnapshot>> SnapshotExport::Next() {
  if (versions_.empty()) return std::nullopt;
  absl::StatusOr<Record> read =
      WaitFor<Record>([this](auto done) { store_->ReadSnapshot(versions_.back(), std::move(done)); });
  if (!read.ok()) return read.status();
  const SnapshotRecord& record = **read;
  const absl::StatusOr<std::shared_ptr<const StateSpec>> spec =
      models_->FindStateSpec(record.origin->model, record.origin->revision);
  if (!spec.ok()) return spec.status();
  MovedSnapshot snapshot{.version = record.version,
                         .revision = record.origin->revision,
                         .method = record.origin->method,
                         .create_time = record.create_time,
                         .labels = *record.labels,
                         .step_count = record.step_count,
                         .pinned = record.pinned};
  for (int position = 0; position < std::ssize(record.writers); ++position) {
    absl::StatusOr<std::optional<MovedArray>> change = ReadChange(record, position);
    if (!change.ok()) return change.status();
    if (!change->has_value()) continue;
    (*change)->index = (**spec)[position].tensor.name;
    snapshot.arrays.push_back(**std::move(change));
  }
  versions_.pop_back();
  before_ = *std::move(read);
  return snapshot;
}

absl::StatusOr<std::optional<MovedArray>> SnapshotExport::ReadChange(const SnapshotRecord& record,
                                                                     int position) const {
  const Version writer = record.writers[static_cast<size_t>(position)];
  // A snapshot whose revision lays its arrays out in another way than its parent's has written them all.
  std::optional<Version> writer_before;
  if (before_ != nullptr && position < std::ssize(before_->writers)) {
    writer_before = before_->writers[static_cast<size_t>(position)];
  }
  if (writer_before == writer) return std::nullopt;
  const ArrayChain* const chain = record.chains.Find(position);
  if (chain == nullptr || !writer_before.has_value() || *writer_before < chain->first) {
    absl::StatusOr<Array> whole =
        WaitFor<Array>([&](auto done) { store_->ReadArray(writer, position, std::move(done)); });
    if (!whole.ok()) return whole.status();
    return MovedArray{.array = *std::move(whole)};
  }
  // Several parts, where snapshots in between were dropped.
  std::vector<Array> parts;  // The last first.
  for (Version next = writer; next != *writer_before;) {
    absl::StatusOr<ArrayPart> part =
        WaitFor<ArrayPart>([&](auto done) { store_->ReadArrayPart(next, position, std::move(done)); });
    if (!part.ok()) return part.status();
    parts.push_back(std::move(part->array));
    next = *part->previous;
  }
  if (parts.size() == 1) return MovedArray{.array = std::move(parts.front()), .appends = true};
  std::ranges::reverse(parts);
  absl::StatusOr<Array> rows = ConcatenateRows(parts);
  if (!rows.ok()) return rows.status();
  return MovedArray{.array = *std::move(rows), .appends = true};
}

}  // namespace stepwell
