#ifndef STEPWELL_STORAGE_TESTING_STORE_CALLS_H_
#define STEPWELL_STORAGE_TESTING_STORE_CALLS_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "stepwell/storage/store.h"
#include "stepwell/storage/wait_for.h"

// Calls of a store that wait for the answer, and what is stored in tests.
namespace stepwell::testing {

inline constexpr absl::Time kTime = absl::FromUnixSeconds(3600);

template <typename T, typename Start>
inline absl::StatusOr<T> Wait(Start start) {
  return WaitFor<T>(std::move(start));
}

inline absl::StatusOr<Version> Reserve(Store& store) {
  const auto block = Wait<VersionBlock>([&](auto done) { store.ReserveVersions(1, std::move(done)); });
  if (!block.ok()) return block.status();
  return block->begin;
}

inline absl::StatusOr<BranchRecord> ReadBranch(Store& store, absl::string_view name) {
  return Wait<BranchRecord>([&](auto done) { store.ReadBranch(name, std::move(done)); });
}

inline absl::StatusOr<std::shared_ptr<const RequestRecord>> ReadRequest(Store& store, absl::string_view id,
                                                                        absl::Time now) {
  return Wait<std::shared_ptr<const RequestRecord>>(
      [&](auto done) { store.ReadRequest(id, now, std::move(done)); });
}

inline absl::StatusOr<std::shared_ptr<const SnapshotRecord>> ReadSnapshot(Store& store, Version version) {
  return Wait<std::shared_ptr<const SnapshotRecord>>(
      [&](auto done) { store.ReadSnapshot(version, std::move(done)); });
}

inline absl::StatusOr<Array> ReadArray(Store& store, Version writer, int position) {
  return Wait<Array>([&](auto done) { store.ReadArray(writer, position, std::move(done)); });
}

inline absl::StatusOr<ArrayPart> ReadArrayPart(Store& store, Version writer, int position) {
  return Wait<ArrayPart>([&](auto done) { store.ReadArrayPart(writer, position, std::move(done)); });
}

// Commits and waits until the durability is reached; the decision when there was none.
inline absl::Status Commit(Store& store, CommitBatch batch, Durability durability = Durability::kAsync) {
  absl::Notification called;
  absl::Status result = absl::UnknownError("never called back");
  store.Commit(
      std::move(batch), durability,
      [&](absl::Status decided) {
        if (decided.ok()) return;
        result = std::move(decided);
        called.Notify();
      },
      [&](absl::Status reached) {
        result = std::move(reached);
        called.Notify();
      });
  called.WaitForNotification();
  return result;
}

inline absl::StatusOr<int64_t> Drop(Store& store, std::vector<Version> versions) {
  return Wait<int64_t>([&](auto done) {
    store.DropSnapshots({.versions = std::move(versions)}, Durability::kAsync, std::move(done));
  });
}

inline absl::Status RecordModelRevision(Store& store, ModelRevisionRecord record) {
  return Wait<bool>([&](auto done) {
           store.RecordModelRevision(std::move(record), [done](absl::Status status) mutable {
             if (!status.ok()) return done(std::move(status));
             done(true);
           });
         })
      .status();
}

inline absl::StatusOr<std::vector<ModelRevisionRecord>> ReadModelRevisions(Store& store) {
  return Wait<std::vector<ModelRevisionRecord>>(
      [&](auto done) { store.ReadModelRevisions(std::move(done)); });
}

// A snapshot of two arrays that wrote those at `positions`, ascending; the others were written by `parent`.
inline std::shared_ptr<const StoredSnapshot> MakeSnapshot(Version version, std::optional<Version> parent,
                                                          std::vector<int> positions, int32_t value) {
  auto snapshot = std::make_shared<StoredSnapshot>();
  SnapshotRecord& record = snapshot->record;
  record.version = version;
  record.parent = parent;
  record.origin = std::make_shared<const SnapshotOrigin>(SnapshotOrigin{"counter", 1, "step"});
  record.create_time = kTime;
  record.labels = Labels{{"kind", "test"}};
  record.step_count = 3;
  record.writers = {parent.value_or(version), parent.value_or(version)};
  for (const int position : positions) {
    record.writers[static_cast<size_t>(position)] = version;
    snapshot->written.push_back(Array::Scalar<int32_t>(value + position));
  }
  return snapshot;
}

inline BranchRecord MakeBranch(absl::string_view name, Version head) {
  return {.name = std::string(name),
          .model = "counter",
          .head = head,
          .create_time = kTime,
          .update_time = kTime};
}

inline BranchUpdate MoveOf(absl::string_view name, Version expected_head, Version head,
                           absl::Time time = kTime) {
  return {.name = std::string(name), .expected_head = expected_head, .head = head, .time = time};
}

inline absl::StatusOr<std::vector<BranchRecord>> ScanBranches(Store& store, absl::string_view prefix,
                                                              absl::string_view after, size_t limit) {
  return Wait<std::vector<BranchRecord>>(
      [&](auto done) { store.ScanBranches(prefix, after, limit, std::move(done)); });
}

inline std::vector<std::string> NamesOf(const absl::StatusOr<std::vector<BranchRecord>>& branches) {
  std::vector<std::string> names;
  for (const BranchRecord& branch : branches.value()) names.push_back(branch.name);
  return names;
}

using Records = std::vector<std::shared_ptr<const SnapshotRecord>>;

inline std::vector<Version> VersionsOf(const Records& records) {
  std::vector<Version> versions;
  for (const auto& record : records) versions.push_back(record->version);
  return versions;
}

inline std::vector<Version> ScanSnapshots(Store& store, Version before, size_t limit) {
  return VersionsOf(
      Wait<Records>([&](auto done) { store.ScanSnapshots(before, limit, std::move(done)); }).value());
}

inline absl::StatusOr<std::vector<Version>> ScanAncestors(Store& store, Version version, size_t limit) {
  const auto records =
      Wait<Records>([&](auto done) { store.ScanAncestors(version, limit, std::move(done)); });
  if (!records.ok()) return records.status();
  return VersionsOf(*records);
}

// A snapshot of two arrays of rows: `parent` with `rows` appended to the second, or a root with `rows` there.
inline std::shared_ptr<const StoredSnapshot> MakeGrowing(Version version, const SnapshotRecord* parent,
                                                         const std::vector<int32_t>& rows) {
  auto snapshot = std::make_shared<StoredSnapshot>();
  SnapshotRecord& record = snapshot->record;
  const Array array = Array::From<int32_t>({static_cast<int64_t>(rows.size())}, rows).value();
  record.version = version;
  record.origin = std::make_shared<const SnapshotOrigin>(SnapshotOrigin{"cache", 1, "step"});
  record.create_time = kTime;
  record.writers = {version, version};
  if (parent != nullptr) {
    record.parent = parent->version;
    record.writers[0] = parent->writers[0];
    record.chains = parent->chains;
    record.chains.Append(1, parent->writers[1]);
  } else {
    snapshot->written.push_back(Array::Scalar<int32_t>(-1));
  }
  snapshot->written.push_back(array);
  return snapshot;
}

}  // namespace stepwell::testing

#endif  // STEPWELL_STORAGE_TESTING_STORE_CALLS_H_
