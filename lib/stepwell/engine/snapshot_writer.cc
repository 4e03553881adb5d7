#include "stepwell/engine/snapshot_writer.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace stepwell {
namespace {

// That of `parent`, where the same has made it.
std::shared_ptr<const SnapshotOrigin> OriginOf(const SnapshotDraft& draft, const Snapshot* parent) {
  const Model& model = *draft.model;
  absl::string_view method_name;
  if (draft.method != nullptr) method_name = draft.method->name();
  if (draft.moved.has_value()) method_name = draft.moved->method;
  if (parent != nullptr) {
    const std::shared_ptr<const SnapshotOrigin>& origin = parent->record().origin;
    if (origin->revision == model.revision() && origin->method == method_name &&
        origin->model == model.name()) {
      return origin;
    }
  }
  return std::make_shared<const SnapshotOrigin>(
      SnapshotOrigin{model.name(), model.revision(), std::string(method_name)});
}

// A snapshot for the store and for the engine; they share the record and the arrays.
struct Built {
  std::shared_ptr<const StoredSnapshot> stored;
  std::shared_ptr<const Snapshot> snapshot;
};

// The arrays that `parent` has at other positions become the new version's own.
void LayOut(const std::vector<Array>& laid_out, WrittenArrays& written) {
  std::vector<Array> all = laid_out;
  for (auto& [position, array] : written) all[static_cast<size_t>(position)] = std::move(array);
  written.clear();
  for (size_t i = 0; i < all.size(); ++i) written.emplace_back(static_cast<int>(i), std::move(all[i]));
}

bool Appends(const NewVersion& next, int position) {
  return std::ranges::any_of(next.appended, [position](const auto& rows) { return rows.first == position; });
}

// Where `next` appended to the arrays of `parent`, has `stored` hold the rows in place of the whole arrays.
void StoreRowsAlone(NewVersion& next, const SnapshotRecord& parent, StoredSnapshot& stored) {
  SnapshotRecord& record = stored.record;
  for (auto& [position, rows] : next.appended) {
    Array& place = stored.written[stored.SlotOf(position)];
    record.new_bytes += rows.byte_count() - place.byte_count();
    place = std::move(rows);
    record.chains.Append(position, parent.writers[static_cast<size_t>(position)]);
  }
}

// The snapshot that `next` makes of `parent`, null for a root; `shares` says whether it has the parent's
// arrays where it writes none. Takes the arrays out of `next`.
Built Build(const SnapshotDraft& draft, const std::shared_ptr<const Snapshot>& parent, bool shares,
            NewVersion& next, Version version, absl::Time now) {
  auto stored = std::make_shared<StoredSnapshot>();
  SnapshotRecord& record = stored->record;
  Snapshot::Arrays arrays;
  record.version = version;
  record.origin = OriginOf(draft, parent.get());
  record.create_time = now;
  record.labels = draft.labels;
  if (parent != nullptr) {
    const SnapshotRecord& from = parent->record();
    record.parent = from.version;
    record.step_count = from.step_count + next.step_count;
  }
  if (draft.moved.has_value()) {
    record.create_time = draft.moved->create_time;
    record.step_count = draft.moved->step_count;
  }
  if (shares) {
    const SnapshotRecord& from = parent->record();
    record.state_bytes = from.state_bytes;
    record.writers = from.writers;
    record.chains = from.chains;
    arrays.assign(parent->arrays().begin(), parent->arrays().end());
  } else {
    record.writers.assign(next.written.size(), version);
    arrays.resize(next.written.size());
  }
  for (auto& [position, array] : next.written) {
    Array& place = arrays[static_cast<size_t>(position)];
    record.state_bytes += array.byte_count() - place.byte_count();
    record.new_bytes += array.byte_count();
    record.writers[static_cast<size_t>(position)] = version;
    if (!record.chains.empty() && !Appends(next, position)) record.chains.Erase(position);
    place = std::move(array);
  }
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (record.writers[i] == version) stored->written.push_back(arrays[i]);
  }
  if (shares && !next.appended.empty()) StoreRowsAlone(next, parent->record(), *stored);
  std::shared_ptr<const SnapshotRecord> shared_record(stored, &record);
  return {std::move(stored), std::make_shared<const Snapshot>(std::move(shared_record), std::move(arrays))};
}

}  // namespace

bool SnapshotWriter::TakeAtHand(size_t count, Numbers& numbers) {
  while (numbers.size() < count) {
    const std::optional<Version> at_hand = versions_->TryNext();
    if (!at_hand.has_value()) return false;
    numbers.push_back(*at_hand);
  }
  return true;
}

void SnapshotWriter::Take(size_t count, Numbers&& numbers,
                          absl::AnyInvocable<void(absl::StatusOr<Numbers>)>&& done) {
  if (TakeAtHand(count, numbers)) return std::move(done)(std::move(numbers));
  versions_->Next([this, count, numbers = std::move(numbers),
                   done = std::move(done)](absl::StatusOr<Version> version) mutable {
    if (!version.ok()) return std::move(done)(version.status());
    numbers.push_back(*version);
    Take(count, std::move(numbers), std::move(done));
  });
}

void SnapshotWriter::Write(SnapshotWrite&& write) {
  const size_t count = write.draft.versions.size();
  Numbers numbers;
  if (TakeAtHand(count, numbers)) return Commit(numbers, std::move(write));
  Take(count, std::move(numbers), [this, write = std::move(write)](absl::StatusOr<Numbers> taken) mutable {
    if (!taken.ok()) return std::move(write.visible)(taken.status());
    Commit(*taken, std::move(write));
  });
}

void SnapshotWriter::WriteEach(std::vector<SnapshotWrite>&& writes) {
  size_t count = 0;
  bool is_one_batch = writes.size() > 1;
  for (const SnapshotWrite& write : writes) {
    count += write.draft.versions.size();
    is_one_batch = is_one_batch && write.durability == writes.front().durability;
  }
  if (!is_one_batch) {
    for (SnapshotWrite& write : writes) Write(std::move(write));
    return;
  }
  Take(count, {}, [this, writes = std::move(writes)](absl::StatusOr<Numbers> taken) mutable {
    if (taken.ok()) return CommitEach(*taken, std::move(writes));
    for (SnapshotWrite& write : writes) std::move(write.visible)(taken.status());
  });
}

void SnapshotWriter::WriteAll(std::vector<SnapshotDraft>&& drafts, std::vector<RequestRecord>&& requests,
                              Durability durability, SnapshotsCallback&& visible,
                              Store::DoneCallback&& durable) {
  size_t count = 0;
  for (const SnapshotDraft& draft : drafts) count += draft.versions.size();
  Take(count, {},
       [this, drafts = std::move(drafts), requests = std::move(requests), durability,
        visible = std::move(visible), durable = std::move(durable)](absl::StatusOr<Numbers> taken) mutable {
         if (!taken.ok()) return std::move(visible)(taken.status());
         CommitAll(*taken, std::move(drafts), std::move(requests), durability, std::move(visible),
                   std::move(durable));
       });
}

Snapshots SnapshotWriter::AddTo(CommitBatch& batch, absl::Span<const Version> numbers, SnapshotDraft&& draft,
                                absl::Time now) {
  Snapshots made;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const std::shared_ptr<const Snapshot>& parent = i == 0 ? draft.parent : made.back();
    const bool shares = parent != nullptr && (i > 0 || !draft.laid_out.has_value());
    if (i == 0 && draft.laid_out.has_value()) LayOut(*draft.laid_out, draft.versions[0].written);
    Built built = Build(draft, parent, shares, draft.versions[i], numbers[i], now);
    batch.snapshots.push_back(std::move(built.stored));
    made.push_back(std::move(built.snapshot));
  }
  if (draft.move_branch.has_value()) {
    batch.branch_updates.push_back({.name = *std::move(draft.move_branch),
                                    .expected_head = draft.parent->version(),
                                    .head = numbers.back(),
                                    .time = now});
  }
  if (draft.new_branch.has_value()) {
    BranchRecord& branch = batch.new_branches.emplace_back(*std::move(draft.new_branch));
    branch.head = numbers.back();
    branch.create_time = branch.update_time = now;
  }
  if (draft.request.has_value()) {
    RequestRecord& request = batch.requests.emplace_back(draft.request->ToRecord(now));
    if (draft.parent != nullptr) request.base = draft.parent->version();
    request.revision = draft.model->revision();
    request.versions.assign(numbers.begin(), numbers.end());
    if (draft.new_branch.has_value()) request.branch = batch.new_branches.back();
  }
  return made;
}

void SnapshotWriter::Commit(absl::Span<const Version> numbers, SnapshotWrite&& write) {
  CommitBatch batch;
  Snapshots made = AddTo(batch, numbers, std::move(write.draft), clock_->Now());
  store_->Commit(
      std::move(batch), write.durability,
      [this, epoch = cache_->epoch(), made = std::move(made),
       visible = std::move(write.visible)](absl::Status status) mutable {
        if (!status.ok()) return std::move(visible)(std::move(status));
        PutInCache(made, epoch);
        std::move(visible)(std::move(made));
      },
      std::move(write.durable));
}

void SnapshotWriter::CommitEach(const Numbers& numbers, std::vector<SnapshotWrite>&& writes) {
  // Where the batch of a write ends within the batch of all.
  struct Ends {
    size_t snapshots = 0;
    size_t new_branches = 0;
    size_t branch_updates = 0;
    size_t requests = 0;
  };
  struct Part {
    Ends ends;
    Snapshots made;
    SnapshotWrite::VisibleCallback visible;
    Store::DoneCallback durable;
  };
  struct Parts {
    std::vector<Part> parts;
    CommitBatch batch;
  };
  const absl::Time now = clock_->Now();
  const Durability durability = writes.front().durability;
  const auto all = std::make_shared<Parts>();
  CommitBatch& batch = all->batch;
  all->parts.reserve(writes.size());
  batch.snapshots.reserve(numbers.size());
  absl::Span<const Version> left = numbers;
  for (SnapshotWrite& write : writes) {
    const size_t count = write.draft.versions.size();
    Snapshots made = AddTo(batch, left.subspan(0, count), std::move(write.draft), now);
    left.remove_prefix(count);
    all->parts.push_back({{batch.snapshots.size(), batch.new_branches.size(), batch.branch_updates.size(),
                           batch.requests.size()},
                          std::move(made),
                          std::move(write.visible),
                          std::move(write.durable)});
  }
  // The store does not say which part it refuses: then each is committed alone.
  const SnapshotCache::Epoch epoch = cache_->epoch();
  const auto commit_each = [this, epoch, all, durability] {
    Ends begin;
    for (Part& part : all->parts) {
      const auto cut = [](const auto& from, size_t first, size_t last, auto& to) {
        to.assign(from.begin() + static_cast<ptrdiff_t>(first), from.begin() + static_cast<ptrdiff_t>(last));
      };
      CommitBatch alone;
      cut(all->batch.snapshots, begin.snapshots, part.ends.snapshots, alone.snapshots);
      cut(all->batch.new_branches, begin.new_branches, part.ends.new_branches, alone.new_branches);
      cut(all->batch.branch_updates, begin.branch_updates, part.ends.branch_updates, alone.branch_updates);
      cut(all->batch.requests, begin.requests, part.ends.requests, alone.requests);
      begin = part.ends;
      store_->Commit(
          std::move(alone), durability,
          [this, epoch, made = std::move(part.made),
           visible = std::move(part.visible)](absl::Status status) mutable {
            if (!status.ok()) return std::move(visible)(std::move(status));
            PutInCache(made, epoch);
            std::move(visible)(std::move(made));
          },
          std::move(part.durable));
    }
  };
  store_->Commit(
      CommitBatch(batch), durability,
      [this, epoch, all, commit_each](const absl::Status& status) {
        if (!status.ok()) return commit_each();
        for (Part& part : all->parts) {
          PutInCache(part.made, epoch);
          std::move(part.visible)(std::move(part.made));
        }
      },
      [all](const absl::Status& status) {
        for (Part& part : all->parts) std::move(part.durable)(status);
      });
}

void SnapshotWriter::CommitAll(const Numbers& numbers, std::vector<SnapshotDraft>&& drafts,
                               std::vector<RequestRecord>&& requests, Durability durability,
                               SnapshotsCallback&& visible, Store::DoneCallback&& durable) {
  const absl::Time now = clock_->Now();
  CommitBatch batch;
  batch.requests = std::move(requests);
  std::vector<Snapshots> made;
  made.reserve(drafts.size());
  absl::Span<const Version> left = numbers;
  for (SnapshotDraft& draft : drafts) {
    const size_t count = draft.versions.size();
    made.push_back(AddTo(batch, left.subspan(0, count), std::move(draft), now));
    left.remove_prefix(count);
  }
  store_->Commit(
      std::move(batch), durability,
      [this, epoch = cache_->epoch(), made = std::move(made),
       visible = std::move(visible)](absl::Status status) mutable {
        if (!status.ok()) return std::move(visible)(std::move(status));
        for (const Snapshots& snapshots : made) PutInCache(snapshots, epoch);
        std::move(visible)(std::move(made));
      },
      std::move(durable));
}

}  // namespace stepwell
