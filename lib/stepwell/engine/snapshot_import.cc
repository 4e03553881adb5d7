#include "stepwell/engine/snapshot_import.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "stepwell/array/append.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/errors.h"
#include "stepwell/engine/fitted_state.h"
#include "stepwell/engine/request_digest.h"
#include "stepwell/state/snapshot_drop.h"
#include "stepwell/storage/errors.h"
#include "stepwell/storage/wait_for.h"

namespace stepwell {
namespace {

// What is committed before it waits for the disk, of which a store lets only so much wait.
constexpr int64_t kMaxUnsyncedBytes = int64_t{32} << 20;
constexpr int64_t kMaxUnsyncedCount = 1000;

// The store does nothing else while it drops so many.
constexpr size_t kDropsAtATime = 1000;

// Tells which version a snapshot had where it was exported.
constexpr char kSourceLabel[] = "stepwell.imported_from";

// `status` with another message.
absl::Status Reworded(const absl::Status& status, absl::string_view message) {
  const ErrorInfo info = GetErrorInfo(status);
  const absl::Status reworded(status.code(), message);
  return info.reason.empty() ? reworded : WithErrorInfo(reworded, info.reason, info.metadata);
}

absl::Status CheckGivenOnce(const MovedSnapshot& snapshot) {
  absl::flat_hash_set<absl::string_view> seen;
  for (const MovedArray& array : snapshot.arrays) {
    if (!seen.insert(array.index).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("index \"", array.index, "\" is given twice; expected once"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotImport>> SnapshotImport::Open(const ImportContext& context,
                                                                     ImportSnapshotsRequest request) {
  absl::Status valid = CheckBranchName(request.branch);
  if (valid.ok()) valid = RequestIds::CheckId(request.request_id);
  if (valid.ok() && request.history.snapshot_count < 1) {
    valid = absl::InvalidArgumentError(
        absl::StrCat(request.history.snapshot_count, " snapshots to import; expected at least one"));
  }
  if (!valid.ok()) return valid;
  auto opened = absl::WrapUnique(new SnapshotImport(context, std::move(request)));
  opened->content_.Add(DigestOf(opened->request_));
  absl::Status ready = opened->FindModels();
  if (ready.ok()) ready = opened->CheckBranch();
  if (ready.ok()) ready = opened->HoldRetention();
  if (!ready.ok()) return ready;
  return opened;
}

SnapshotImport::~SnapshotImport() {
  // What the store does not delete stays as versions that no branch leads to: nobody is here to be told.
  DeleteAll().IgnoreError();
  if (held_from_.has_value()) context_.retention->Release(*held_from_);
}

absl::Status SnapshotImport::FindModels() {
  const std::string& name = request_.history.model;
  const absl::StatusOr<ModelStatus> status = context_.models->Status(name);
  if (!status.ok()) return status.status();
  for (const MovedHistory::Revision& revision : request_.history.revisions) {
    std::shared_ptr<const Model>& model = models_[revision.number];
    if (std::holds_alternative<SameRevision>(request_.revision)) {
      std::vector<std::shared_ptr<const Model>> loaded;
      for (const int64_t number : status->revisions) {
        const absl::StatusOr<std::shared_ptr<const Model>> found = context_.models->Find(name, number);
        if (found.ok()) loaded.push_back(*found);  // Else it was unloaded just now.
      }
      const auto same = std::ranges::find_if(
          loaded, [&revision](const auto& one) { return one->digest() == revision.digest; });
      if (same == loaded.end()) return ModelDiffers(name, revision.number, revision.digest, loaded);
      model = *same;
      continue;
    }
    const auto* number = std::get_if<int64_t>(&request_.revision);
    absl::StatusOr<std::shared_ptr<const Model>> found =
        number == nullptr ? context_.models->Find(name) : context_.models->Find(name, *number);
    if (!found.ok()) return found.status();
    model = *std::move(found);
  }
  return absl::OkStatus();
}

absl::Status SnapshotImport::CheckBranch() const {
  const absl::Time now = context_.clock->Now();
  const auto branch = WaitFor<BranchRecord>(
      [this](auto done) { context_.store->ReadBranch(request_.branch, std::move(done)); });
  if (!branch.ok() || branch->expire_time <= now) return absl::OkStatus();
  if (request_.request_id.empty()) return BranchExists(request_.branch);
  // A repeat finds the branch that the first import has made.
  const auto known = WaitFor<std::shared_ptr<const RequestRecord>>(
      [&](auto done) { context_.store->ReadRequest(request_.request_id, now, std::move(done)); });
  if (!known.ok()) return known.status();
  return *known == nullptr ? BranchExists(request_.branch) : absl::OkStatus();
}

absl::Status SnapshotImport::HoldRetention() {
  // Every number that comes later is greater.
  const absl::StatusOr<Version> number =
      WaitFor<Version>([this](auto done) { context_.versions->Next(std::move(done)); });
  if (!number.ok()) return number.status();
  held_from_ = *number;
  context_.retention->Hold(*number);
  return absl::OkStatus();
}

absl::Status SnapshotImport::Add(MovedSnapshot snapshot) {
  const std::string name = absl::StrCat("snapshot ", made_.size(), " of the import, version ",
                                        snapshot.version.value(), " where it comes from");
  absl::Status added = request_.call.Check();
  if (!added.ok()) return Fail(added);
  if (std::ssize(made_) == request_.history.snapshot_count) {
    return Fail(absl::InvalidArgumentError(
        absl::StrCat(name, ", is one too many; expected ", request_.history.snapshot_count)));
  }
  if (!request_.request_id.empty()) content_.Add(DigestOf(snapshot));
  absl::StatusOr<SnapshotDraft> draft = MakeDraft(snapshot);
  added = draft.ok() ? Write(*std::move(draft)) : draft.status();
  if (!added.ok()) return Fail(Reworded(added, absl::StrCat(name, ": ", added.message())));
  if (snapshot.pinned) pinned_.push_back(made_.back());
  return absl::OkStatus();
}

absl::StatusOr<SnapshotDraft> SnapshotImport::MakeDraft(MovedSnapshot& snapshot) {
  const auto model = models_.find(snapshot.revision);
  if (model == models_.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("revision ", snapshot.revision, "; expected one of those that the header lists"));
  }
  if (snapshot.step_count < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("step_count ", snapshot.step_count, "; expected 0 or more"));
  }
  const absl::Status once = CheckGivenOnce(snapshot);
  if (!once.ok()) return once;
  SnapshotDraft draft{.parent = head_, .model = model->second, .labels = std::move(snapshot.labels)};
  draft.labels[kSourceLabel] = absl::StrCat(snapshot.version.value());
  draft.moved = {snapshot.create_time, std::move(snapshot.method), snapshot.step_count};
  draft.versions.emplace_back();
  const bool is_whole =
      head_ == nullptr || !HaveSameLayout(model_before_->state_spec(), draft.model->state_spec());
  const absl::Status filled = is_whole ? LayOut(snapshot, draft) : AddChanges(snapshot, draft);
  if (!filled.ok()) return filled;
  model_before_ = draft.model;
  return draft;
}

absl::Status SnapshotImport::LayOut(MovedSnapshot& snapshot, SnapshotDraft& draft) {
  std::vector<StateArraySpec> specs;
  std::vector<Array> arrays;
  for (MovedArray& moved : snapshot.arrays) {
    if (moved.appends) {
      return absl::InvalidArgumentError(
          absl::StrCat("index \"", moved.index, "\" appends rows to nothing; expected the whole array"));
    }
    TensorSpec tensor{.name = moved.index, .dtype = moved.array.dtype()};
    for (const int64_t extent : moved.array.shape().dims()) tensor.dims.push_back({.extent = extent});
    specs.push_back({std::move(tensor), GivenAtMakeState()});
    arrays.push_back(std::move(moved.array));
  }
  LaidOut laid_out =
      LayOutArrays(StateSpec(std::move(specs)), arrays, draft.model->state_spec(), request_.adapt_state);
  if (!laid_out.differences.empty()) {
    return StateSpecMismatch(*draft.model, snapshot.revision, laid_out.differences);
  }
  if (draft.parent != nullptr) {
    draft.laid_out = std::move(laid_out.arrays);
    return absl::OkStatus();
  }
  for (size_t i = 0; i < laid_out.arrays.size(); ++i) {
    draft.versions[0].written.emplace_back(static_cast<int>(i), std::move(laid_out.arrays[i]));
  }
  return absl::OkStatus();
}

absl::Status SnapshotImport::AddChanges(MovedSnapshot& snapshot, SnapshotDraft& draft) {
  const StateSpec& spec = draft.model->state_spec();
  for (MovedArray& moved : snapshot.arrays) {
    const std::optional<int> position = spec.Find(moved.index);
    if (!position.has_value()) {
      if (request_.adapt_state) continue;
      return spec.Position(moved.index).status();
    }
    Array whole = moved.array;
    if (moved.appends) {
      absl::StatusOr<Array> appended =
          AppendRows(head_->arrays()[static_cast<size_t>(*position)], moved.array);
      if (!appended.ok()) {
        return absl::Status(appended.status().code(),
                            absl::StrCat("index \"", moved.index, "\": ", appended.status().message()));
      }
      whole = *std::move(appended);
    }
    const absl::Status fits = spec[*position].tensor.Check("index", whole);
    if (!fits.ok()) return fits;
    NewVersion& version = draft.versions[0];
    version.written.emplace_back(*position, std::move(whole));
    if (moved.appends) version.appended.emplace_back(*position, std::move(moved.array));
  }
  return absl::OkStatus();
}

absl::Status SnapshotImport::Write(SnapshotDraft draft) {
  // The first one finds out whether there is a disk to wait for.
  const bool syncs = may_sync_ && (made_.empty() || unsynced_bytes_ >= kMaxUnsyncedBytes ||
                                   unsynced_count_ >= kMaxUnsyncedCount);
  absl::StatusOr<Snapshots> made;
  absl::Status durable;
  absl::Notification done;
  SnapshotWrite write{.draft = draft, .durability = syncs ? Durability::kSync : Durability::kAsync};
  write.visible = [&](absl::StatusOr<Snapshots> result) {
    made = std::move(result);
    if (!made.ok()) done.Notify();
  };
  write.durable = [&](absl::Status result) {
    durable = std::move(result);
    done.Notify();
  };
  context_.writer->Write(std::move(write));
  done.WaitForNotification();
  if (!made.ok() && syncs && GetErrorInfo(made.status()).reason == "DURABILITY_UNAVAILABLE") {
    may_sync_ = false;
    return Write(std::move(draft));
  }
  if (!made.ok()) return made.status();
  head_ = made->back();
  made_.push_back(head_->version());
  unsynced_bytes_ = syncs ? 0 : unsynced_bytes_ + head_->record().new_bytes;
  unsynced_count_ = syncs ? 0 : unsynced_count_ + 1;
  return durable;
}

absl::StatusOr<ImportSnapshotsResult> SnapshotImport::Finish() {
  if (std::ssize(made_) != request_.history.snapshot_count) {
    return Fail(absl::InvalidArgumentError(absl::StrCat(
        "the import ended after ", made_.size(), " snapshots; expected ", request_.history.snapshot_count)));
  }
  if (request_.request_id.empty()) {
    const absl::StatusOr<BranchRecord> branch = MakeBranch(std::nullopt);
    return branch.ok() ? ReadResult(*branch) : branch.status();
  }
  const RequestKey key{request_.request_id, content_.Finish()};
  const auto known = WaitFor<std::shared_ptr<const RequestRecord>>(
      [&](auto done) { context_.request_ids->Enter(key, request_.call, std::move(done)); });
  if (!known.ok()) return Fail(known.status());
  absl::StatusOr<BranchRecord> branch;
  if (*known != nullptr) {
    branch = *(*known)->branch;
  } else {
    branch = MakeBranch(key);
  }
  context_.request_ids->Leave(key.id);
  // Of a repeat, the destructor deletes what it has made.
  return branch.ok() ? ReadResult(*branch) : branch.status();
}

absl::StatusOr<BranchRecord> SnapshotImport::MakeBranch(std::optional<RequestKey> key) {
  const absl::Time now = context_.clock->Now();
  const BranchRecord branch{.name = request_.branch,
                            .model = request_.history.model,
                            .head = made_.back(),
                            .create_time = now,
                            .update_time = now};
  CommitBatch batch;
  batch.new_branches.push_back(branch);
  for (const Version version : pinned_) {
    batch.snapshot_updates.push_back({.version = version, .pinned = true});
  }
  if (key.has_value()) {
    RequestRecord& record = batch.requests.emplace_back(key->ToRecord(now));
    record.revision = head_->record().origin->revision;
    record.versions = {branch.head};
    record.branch = branch;
  }
  absl::Status refused, durable;
  absl::Notification done;
  context_.store->Commit(
      std::move(batch), request_.durability.value_or(context_.default_durability),
      [&](absl::Status visible) {
        refused = std::move(visible);
        if (!refused.ok()) done.Notify();
      },
      [&](absl::Status reached) {
        durable = std::move(reached);
        done.Notify();
      });
  done.WaitForNotification();
  if (!refused.ok()) return Fail(refused);
  made_.clear();  // They stay.
  if (!durable.ok()) return durable;
  return branch;
}

absl::StatusOr<ImportSnapshotsResult> SnapshotImport::ReadResult(const BranchRecord& branch) const {
  using Record = std::shared_ptr<const SnapshotRecord>;
  const absl::StatusOr<Record> head =
      WaitFor<Record>([&](auto done) { context_.store->ReadSnapshot(branch.head, std::move(done)); });
  if (!head.ok()) return head.status();
  return ImportSnapshotsResult{{*head, context_.store->IsDurable(branch.head)}, branch};
}

absl::Status SnapshotImport::Fail(const absl::Status& why) {
  const absl::Status deleted = DeleteAll();
  return Reworded(why, deleted.ok() ? absl::StrCat(why.message(), "; nothing of the import is left")
                                    : absl::StrCat(why.message(), "; ", made_.size(),
                                                   " versions of the import are left, from ",
                                                   made_.front().value(), " to ", made_.back().value(),
                                                   ", and could not be deleted: ", deleted.message()));
}

absl::Status SnapshotImport::DeleteAll() {
  head_.reset();
  while (!made_.empty()) {
    const auto first = made_.end() - static_cast<ptrdiff_t>(std::min(made_.size(), kDropsAtATime));
    const absl::Status dropped =
        WaitFor<int64_t>([&](auto done) {
          DropSnapshots(context_.store, context_.cache, {.versions = {first, made_.end()}},
                        Durability::kAsync, std::move(done));
        }).status();
    if (!dropped.ok()) return dropped;
    made_.erase(first, made_.end());
  }
  return absl::OkStatus();
}

}  // namespace stepwell
