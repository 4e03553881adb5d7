#include "stepwell/engine/package_sweep.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/synchronization/notification.h"

namespace stepwell {
namespace {

// After a part: others come in between.
constexpr absl::Duration kPauseBetweenParts = absl::Milliseconds(1);

// Waits until all that was committed would survive a crash.
absl::Status SyncStore(Store& store) {
  absl::Notification ended;
  absl::Status synced;
  store.Commit(
      CommitBatch(), Durability::kSync,
      [&](const absl::Status& visible) {
        if (visible.ok()) return;
        synced = visible;
        ended.Notify();
      },
      [&](const absl::Status& durable) {
        synced = durable;
        ended.Notify();
      });
  ended.WaitForNotification();
  return synced;
}

}  // namespace

absl::StatusOr<absl::Duration> PackageSweep::Work() {
  if (!std::exchange(is_up_to_date_, true)) {
    absl::Status status = Update();
    if (status.ok()) status = Recheck();
    if (!status.ok()) {
      is_up_to_date_ = false;
      return status;
    }
  }
  Version before(0);
  for (const auto& [digest, search] : searches_) {
    if (!search.is_needed) before = std::max(before, search.before);
  }
  if (before > Version(0)) {
    const absl::StatusOr<absl::Duration> pause = ReadSnapshots(before);
    if (!pause.ok()) is_up_to_date_ = false;
    return pause;
  }
  is_up_to_date_ = false;
  const absl::Status dropped = DropUnneeded();
  if (!dropped.ok()) return dropped;
  return options_.pause;
}

absl::Status PackageSweep::Update() {
  absl::StatusOr<std::vector<ModelRepository::UnusedPackage>> unused = models_->ListUnusedPackages();
  if (!unused.ok()) return unused.status();
  std::map<std::string, Search> searches;
  for (ModelRepository::UnusedPackage& package : *unused) {
    Search& search = searches[package.digest];
    search = {.before = Version(std::numeric_limits<int64_t>::max())};
    const auto found = searches_.find(package.digest);
    if (found != searches_.end() && found->second.package.load_count == package.load_count &&
        found->second.package.revisions == package.revisions) {
      search = found->second;
    }
    search.package = std::move(package);
  }
  searches_ = std::move(searches);
  return absl::OkStatus();
}

absl::Status PackageSweep::Recheck() {
  for (auto& [digest, search] : searches_) {
    if (!search.is_needed) continue;
    absl::Notification answered;
    absl::Status there;
    store_->ReadSnapshot(search.before,
                         [&](const absl::StatusOr<std::shared_ptr<const SnapshotRecord>>& record) {
                           there = record.status();
                           answered.Notify();
                         });
    answered.WaitForNotification();
    if (!there.ok() && !absl::IsNotFound(there)) return there;
    search.is_needed = there.ok();
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> PackageSweep::ReadSnapshots(Version before) {
  absl::Notification answered;
  absl::StatusOr<Records> records;
  store_->ScanSnapshots(before, options_.batch_size, [&](absl::StatusOr<Records> read) {
    records = std::move(read);
    answered.Notify();
  });
  answered.WaitForNotification();
  if (!records.ok()) return records.status();
  for (const auto& record : *records) Look(*record);
  const Version end = records->size() < options_.batch_size ? Version(0) : records->back()->version;
  for (auto& [digest, search] : searches_) {
    if (!search.is_needed) search.before = std::min(search.before, end);
  }
  return kPauseBetweenParts;
}

void PackageSweep::Look(const SnapshotRecord& record) {
  for (auto& [digest, search] : searches_) {
    if (search.is_needed || search.before <= record.version) continue;
    const bool needs = std::ranges::any_of(search.package.revisions, [&record](const auto& revision) {
      return revision.second == record.origin->revision && revision.first == record.origin->model;
    });
    if (!needs) continue;
    search.before = record.version;
    search.is_needed = true;
  }
}

absl::Status PackageSweep::DropUnneeded() {
  const auto is_unneeded = [](const auto& search) { return !search.second.is_needed; };
  if (std::ranges::none_of(searches_, is_unneeded)) return absl::OkStatus();
  // A crash must not bring back a snapshot whose package is gone.
  const absl::Status synced = SyncStore(*store_);
  if (!synced.ok()) return synced;
  absl::Status dropped;
  std::erase_if(searches_, [&](const auto& search) {
    if (!is_unneeded(search)) return false;
    dropped.Update(models_->DropUnused(search.second.package));
    return true;
  });
  return dropped;
}

}  // namespace stepwell
