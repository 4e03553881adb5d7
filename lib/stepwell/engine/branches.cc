#include "stepwell/engine/branches.h"

#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "stepwell/engine/branch_change.h"
#include "stepwell/engine/errors.h"
#include "stepwell/storage/errors.h"

namespace stepwell {

void Branches::Read(absl::string_view name, Callback<BranchRecord> done) {
  store_->ReadBranch(name, [this, done = std::move(done)](absl::StatusOr<BranchRecord> branch) mutable {
    if (branch.ok() && IsExpired(*branch)) return std::move(done)(BranchNotFound(branch->name));
    std::move(done)(std::move(branch));
  });
}

void Branches::Resolve(const StateRef& state, Callback<Version> done) {
  if (const auto* version = std::get_if<Version>(&state)) return std::move(done)(*version);
  Read(std::get<BranchName>(state).value,
       [done = std::move(done)](absl::StatusOr<BranchRecord> branch) mutable {
         if (!branch.ok()) return std::move(done)(branch.status());
         std::move(done)(branch->head);
       });
}

void Branches::Create(CreateBranchRequest request, std::optional<RequestKey> key,
                      Callback<BranchRecord> done) {
  const absl::Status named = CheckBranchName(request.name);
  if (!named.ok()) return std::move(done)(named);
  const absl::Status labelled = CheckLabels(request.labels);
  if (!labelled.ok()) return std::move(done)(labelled);
  const absl::Status retained = CheckRetentionPolicy(request.retention.value_or(RetentionPolicy()));
  if (!retained.ok()) return std::move(done)(retained);
  auto create = [this, request, key = std::move(key),
                 done = std::move(done)](absl::StatusOr<std::shared_ptr<const SnapshotRecord>> head) mutable {
    if (!head.ok()) return std::move(done)(head.status());
    const absl::Time now = clock_->Now();
    BranchRecord branch{.name = std::move(request.name),
                        .model = (*head)->origin->model,
                        .head = (*head)->version,
                        .create_time = now,
                        .update_time = now,
                        .expire_time = request.expire_time,
                        .labels = std::move(request.labels),
                        .retention = request.retention};
    CommitBatch batch;
    batch.new_branches.push_back(branch);
    if (key.has_value()) batch.requests.emplace_back(key->ToRecord(now)).branch = branch;
    auto shared_done = std::make_shared<Callback<BranchRecord>>(std::move(done));
    store_->Commit(
        std::move(batch), request.durability.value_or(default_durability_),
        [shared_done, this, branch](absl::Status visible) {
          if (!visible.ok()) return std::move(*shared_done)(std::move(visible));
          NoteExpiry(branch.name, branch.expire_time);
        },
        [shared_done, branch](absl::Status durable) mutable {
          if (!durable.ok()) return std::move(*shared_done)(std::move(durable));
          std::move (*shared_done)(std::move(branch));
        });
  };
  Resolve(request.state, [this, create = std::move(create)](absl::StatusOr<Version> version) mutable {
    if (!version.ok()) return std::move(create)(version.status());
    store_->ReadSnapshot(*version, std::move(create));
  });
}

void Branches::List(ListBranchesRequest request, Callback<ListBranchesResult> done) {
  store_->ScanBranches(request.prefix, request.after, request.limit,
                       [this, limit = request.limit,
                        done = std::move(done)](absl::StatusOr<std::vector<BranchRecord>> scanned) mutable {
                         if (!scanned.ok()) return std::move(done)(scanned.status());
                         ListBranchesResult result;
                         if (scanned->size() == limit) result.next_after = scanned->back().name;
                         for (BranchRecord& branch : *scanned) {
                           if (!IsExpired(branch)) result.branches.push_back(std::move(branch));
                         }
                         std::move(done)(std::move(result));
                       });
}

void Branches::Update(UpdateBranchRequest request, std::optional<RequestKey> key,
                      Callback<BranchRecord> done) {
  const absl::Status labelled = CheckLabels(request.labels.value_or(Labels()));
  if (!labelled.ok()) return std::move(done)(labelled);
  if (request.retention.has_value()) {
    const absl::Status retained = CheckRetentionPolicy(request.retention->value_or(RetentionPolicy()));
    if (!retained.ok()) return std::move(done)(retained);
  }
  const Durability durability = request.durability.value_or(default_durability_);
  std::make_shared<BranchChange>(
      this, store_, queues_, clock_,
      BranchChange::Change{.update = std::move(request), .durability = durability, .key = std::move(key)},
      [this, done = std::move(done)](absl::StatusOr<BranchRecord> branch) mutable {
        if (branch.ok()) NoteExpiry(branch->name, branch->expire_time);
        std::move(done)(std::move(branch));
      })
      ->Start();
}

void Branches::Delete(DeleteBranchRequest request, std::optional<RequestKey> key,
                      Callback<BranchRecord> done) {
  const Durability durability = request.durability.value_or(default_durability_);
  std::make_shared<BranchChange>(this, store_, queues_, clock_,
                                 BranchChange::Change{.is_deletion = true,
                                                      .update = {.name = std::move(request.name),
                                                                 .expected_head = request.expected_head,
                                                                 .call = std::move(request.call)},
                                                      .durability = durability,
                                                      .key = std::move(key)},
                                 std::move(done))
      ->Start();
}

void Branches::DropExpired() {
  const absl::Time now = clock_->Now();
  while (true) {
    CommitBatch batch;
    {
      absl::MutexLock lock(&mutex_);
      if (expiring_.empty() || expiring_.begin()->first > now) return;
      batch.branch_deletions.push_back(
          {.name = std::move(expiring_.extract(expiring_.begin()).value().second),
           .time = now,
           .expired_by = now});
    }
    // What is refused is not there any more, or has been changed and noted again.
    store_->Commit(
        std::move(batch), Durability::kAsync, [](const absl::Status&) {}, [](const absl::Status&) {});
  }
}

void Branches::NoteExpiry(absl::string_view name, absl::Time expire_time) {
  if (expire_time == absl::InfiniteFuture()) return;
  absl::MutexLock lock(&mutex_);
  expiring_.emplace(expire_time, std::string(name));
}

}  // namespace stepwell
