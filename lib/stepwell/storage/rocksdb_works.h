#ifndef STEPWELL_STORAGE_ROCKSDB_WORKS_H_
#define STEPWELL_STORAGE_ROCKSDB_WORKS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "stepwell/storage/rocksdb_store.h"

namespace stepwell {

// What a RocksDbStore gives to its committer. The store decided on it before, in the order of the queue.
class RocksDbStore::Work : public CommitterWork {
 public:
  explicit Work(RocksDbStore* store) : store_(store) {}

  // It was written, and then settled: synced (OK), or failed, perhaps before it was written. Each first under
  // the store's lock, then under none.
  virtual void OnWritten() = 0;
  virtual void AfterWritten() = 0;
  virtual void OnSettled(const absl::Status& how) = 0;
  virtual void AfterSettled(const absl::Status& how) = 0;

 protected:
  RocksDbStore* const store_;
};

// A sync commit calls back when both have come: its caller, who was told that it is visible, and the
// committer.
class SyncCompletion {
 public:
  explicit SyncCompletion(Store::DoneCallback durable) : durable_(std::move(durable)) {}

  void OnVisible() { Meet(); }
  void OnSettled(absl::Status how) {
    how_ = std::move(how);
    Meet();
  }

 private:
  void Meet() {
    if (met_.exchange(true)) std::move(durable_)(std::move(how_));
  }

  Store::DoneCallback durable_;
  absl::Status how_;
  std::atomic<bool> met_ = false;
};

class RocksDbStore::CommitWork final : public Work {
 public:
  using Work::Work;

  absl::Status AddTo(rocksdb::WriteBatch& batch) override;
  void OnWritten() override;
  void AfterWritten() override;
  void OnSettled(const absl::Status& how) override;
  void AfterSettled(const absl::Status& how) override;

  absl::InlinedVector<std::shared_ptr<const StoredSnapshot>, 1> snapshots;
  std::vector<SnapshotUpdate> updates;
  std::vector<BranchRecord> branches;
  std::vector<std::string> deleted_branches;
  std::vector<RememberedRequests::Request> requests;
  std::vector<RememberedRequests::Request> forgotten;
  absl::InlinedVector<Version, 1> versions;    // Of `snapshots`, for when those have gone.
  std::shared_ptr<SyncCompletion> completion;  // Null: nobody waits.

 private:
  void AddSnapshot(const StoredSnapshot& snapshot, rocksdb::WriteBatch& batch) const;
};

class RocksDbStore::DropWork final : public Work {
 public:
  DropWork(RocksDbStore* store, SnapshotDrop drop, Callback<int64_t> done)
      : Work(store), drop_(std::move(drop)), done_(std::move(done)) {
    reads_database = may_fail = true;
  }

  absl::Status AddTo(rocksdb::WriteBatch& batch) override;
  void OnWritten() override;
  void AfterWritten() override;
  void OnSettled(const absl::Status& how) override;
  void AfterSettled(const absl::Status& how) override;

 private:
  SnapshotDrop drop_;
  Callback<int64_t> done_;  // Null when it was called.
  int64_t freed_bytes_ = 0;
  bool is_written_ = false;
};

// Version numbers up to `end` may be handed out when that is synced.
class RocksDbStore::ReserveWork final : public Work {
 public:
  ReserveWork(RocksDbStore* store, Version end) : Work(store), end_(end) { sync = true; }

  absl::Status AddTo(rocksdb::WriteBatch& batch) override;
  void OnWritten() override {}
  void AfterWritten() override {}
  void OnSettled(const absl::Status& how) override;
  void AfterSettled(const absl::Status& how) override;

 private:
  const Version end_;
  std::vector<std::pair<Callback<VersionBlock>, VersionBlock>> answers_;
  std::vector<Callback<VersionBlock>> refused_;
};

// What a revision of a model is.
class RocksDbStore::RevisionWork final : public Work {
 public:
  RevisionWork(RocksDbStore* store, ModelRevisionRecord record, DoneCallback done)
      : Work(store), record_(std::move(record)), done_(std::move(done)) {
    sync = true;
  }

  absl::Status AddTo(rocksdb::WriteBatch& batch) override;
  void OnWritten() override {}
  void AfterWritten() override {}
  void OnSettled(const absl::Status& /*how*/) override {}
  void AfterSettled(const absl::Status& how) override { std::move(done_)(how); }

 private:
  const ModelRevisionRecord record_;
  DoneCallback done_;
};

// Nothing: when it is synced, so is all that was visible when it was pushed.
class RocksDbStore::CheckpointWork final : public Work {
 public:
  CheckpointWork(RocksDbStore* store, DoneCallback done) : Work(store), done_(std::move(done)) {
    sync = true;
  }

  absl::Status AddTo(rocksdb::WriteBatch& /*batch*/) override { return absl::OkStatus(); }
  void OnWritten() override {}
  void AfterWritten() override {}
  void OnSettled(const absl::Status& /*how*/) override {}
  void AfterSettled(const absl::Status& how) override { std::move(done_)(how); }

 private:
  DoneCallback done_;
};

// Adds what a remembered request costs in the database.
void AddRequests(const RocksDbDatabase& database, const std::vector<RememberedRequests::Request>& requests,
                 const std::vector<RememberedRequests::Request>& forgotten, rocksdb::WriteBatch& batch);

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_WORKS_H_
