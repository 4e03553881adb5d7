#include "stepwell/engine/history.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "stepwell/engine/errors.h"
#include "stepwell/state/snapshot_drop.h"

namespace stepwell {
namespace {

// Read for one page of a listing that leaves some out.
constexpr size_t kMaxRead = 1000;

// The store does nothing else while it drops them.
constexpr size_t kMaxDeletions = 10'000;

using Records = std::vector<std::shared_ptr<const SnapshotRecord>>;

const ListSnapshotsRequest::Model* ModelOf(const ListSnapshotsRequest& request) {
  return std::get_if<ListSnapshotsRequest::Model>(&request.of);
}

bool LeavesNothingOut(const ListSnapshotsRequest& request) {
  return ModelOf(request) == nullptr && request.labels.empty() &&
         request.begin_time == absl::InfinitePast() && request.end_time == absl::InfiniteFuture();
}

bool Fits(const SnapshotRecord& record, const ListSnapshotsRequest& request) {
  const ListSnapshotsRequest::Model* model = ModelOf(request);
  return (model == nullptr || record.origin->model == model->name) &&
         record.create_time >= request.begin_time && record.create_time < request.end_time &&
         std::ranges::all_of(request.labels, [&record](const auto& label) {
           const auto found = record.labels->find(label.first);
           return found != record.labels->end() && found->second == label.second;
         });
}

// The page that `records` make, which were all there are when `ended`.
ListSnapshotsResult MakePage(const Records& records, bool ended, const ListSnapshotsRequest& request,
                             const Store& store) {
  ListSnapshotsResult page;
  for (const auto& record : records) {
    if (page.snapshots.size() == request.limit) return page;
    page.next_after = record->version;
    if (Fits(*record, request)) page.snapshots.push_back({record, store.IsDurable(record->version)});
  }
  if (ended) page.next_after.reset();
  return page;
}

}  // namespace

void History::Read(Version version, Callback<SnapshotInfo> done) {
  store_->ReadSnapshot(version, [this, done = std::move(done)](
                                    absl::StatusOr<std::shared_ptr<const SnapshotRecord>> record) mutable {
    if (!record.ok()) return std::move(done)(record.status());
    const bool durable = store_->IsDurable((*record)->version);
    std::move(done)(SnapshotInfo{*std::move(record), durable});
  });
}

void History::Get(const GetSnapshotRequest& request, Callback<SnapshotInfo> done) {
  branches_->Resolve(request.state, [this, done = std::move(done)](absl::StatusOr<Version> version) mutable {
    if (!version.ok()) return std::move(done)(version.status());
    Read(*version, std::move(done));
  });
}

void History::List(ListSnapshotsRequest request, Callback<ListSnapshotsResult> done) {
  const absl::Status waits = request.call.Check();
  if (!waits.ok()) return std::move(done)(waits);
  const bool of_model = ModelOf(request) != nullptr;
  // The ancestors of `after` begin with itself, which was on the page before.
  const size_t skipped = !of_model && request.after.has_value() ? 1 : 0;
  const size_t read = (LeavesNothingOut(request) ? request.limit : kMaxRead) + skipped;
  StateRef start = Version(std::numeric_limits<int64_t>::max());
  if (request.after.has_value()) {
    start = *request.after;
  } else if (!of_model) {
    start = std::get<StateRef>(request.of);
  }
  auto make_page = [this, request = std::move(request), read, skipped,
                    done = std::move(done)](absl::StatusOr<Records> records) mutable {
    if (!records.ok()) return std::move(done)(records.status());
    const bool ended = records->size() < read;
    records->erase(records->begin(), records->begin() + static_cast<ptrdiff_t>(skipped));
    std::move(done)(MakePage(*records, ended, request, *store_));
  };
  if (of_model) return store_->ScanSnapshots(std::get<Version>(start), read, std::move(make_page));
  branches_->Resolve(start,
                     [this, read, make_page = std::move(make_page)](absl::StatusOr<Version> version) mutable {
                       if (!version.ok()) return std::move(make_page)(version.status());
                       store_->ScanAncestors(*version, read, std::move(make_page));
                     });
}

void History::Update(UpdateSnapshotRequest request, std::optional<RequestKey> key,
                     Callback<SnapshotInfo> done) {
  const absl::Status labelled = CheckLabels(request.labels.value_or(Labels()));
  if (!labelled.ok()) return std::move(done)(labelled);
  CommitBatch batch;
  batch.snapshot_updates.push_back({request.version, std::move(request.labels), request.pinned});
  if (key.has_value()) {
    batch.requests.emplace_back(key->ToRecord(clock_->Now())).versions = {request.version};
  }
  auto shared_done = std::make_shared<Callback<SnapshotInfo>>(std::move(done));
  store_->Commit(
      std::move(batch), request.durability.value_or(default_durability_),
      [shared_done](absl::Status visible) {
        if (!visible.ok()) std::move (*shared_done)(std::move(visible));
      },
      [shared_done, this, version = request.version](absl::Status durable) {
        if (!durable.ok()) return std::move(*shared_done)(std::move(durable));
        Read(version, std::move(*shared_done));
      });
}

void History::Delete(DeleteSnapshotsRequest request, std::optional<RequestKey> key,
                     Callback<DeleteSnapshotsResult> done) {
  if (request.versions.empty() || request.versions.size() > kMaxDeletions) {
    return std::move(done)(absl::InvalidArgumentError(
        absl::StrCat(request.versions.size(), " versions to delete; expected 1 to ", kMaxDeletions)));
  }
  std::ranges::sort(request.versions);
  request.versions.erase(std::unique(request.versions.begin(), request.versions.end()),
                         request.versions.end());
  SnapshotDrop drop{.versions = std::move(request.versions)};
  if (key.has_value()) drop.request = key->ToRecord(clock_->Now());
  DropSnapshots(store_, cache_, std::move(drop), request.durability.value_or(default_durability_),
                [done = std::move(done)](absl::StatusOr<int64_t> freed_bytes) mutable {
                  if (!freed_bytes.ok()) return std::move(done)(freed_bytes.status());
                  std::move(done)(DeleteSnapshotsResult{*freed_bytes});
                });
}

}  // namespace stepwell
