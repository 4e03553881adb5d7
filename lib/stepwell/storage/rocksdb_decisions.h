#ifndef STEPWELL_STORAGE_ROCKSDB_DECISIONS_H_
#define STEPWELL_STORAGE_ROCKSDB_DECISIONS_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "stepwell/storage/rocksdb_works.h"

namespace stepwell {

// A call that is decided under the store's lock. Where that needs to know of snapshots that are not in
// memory, they are read first, and it is decided anew.
class RocksDbStore::Decision {
 public:
  explicit Decision(RocksDbStore* store) : store_(store) {}
  virtual ~Decision() = default;

  // Under the lock: decides, and carries it out when the answer is OK and no Record was unread.
  virtual absl::Status Decide() = 0;
  // Under no lock.
  virtual void Tell(const absl::Status& status) = 0;

  // Under the lock, around Decide: what was read counts unless it has changed since.
  void TakeRead();
  // Whether Decide wants to know more; then it is to be read, without the lock, and decided anew.
  bool IsUnread() const { return !unread_.empty(); }
  void WatchUnread();
  void ReadUnread();

 protected:
  // OK: the snapshot is there, or unread.
  absl::Status CheckPresent(Version version);
  // Null: unread.
  absl::StatusOr<Record> FindRecord(Version version);

  RocksDbStore* const store_;

 private:
  struct Watched {
    Version version{0};
    int64_t since = 0;
    absl::StatusOr<Record> record = nullptr;
  };

  std::vector<Version> unread_;
  std::vector<Watched> reading_;
  absl::flat_hash_map<Version, absl::StatusOr<Record>> read_;
};

class RocksDbStore::CommitDecision final : public Decision {
 public:
  CommitDecision(RocksDbStore* store, CommitBatch batch, Durability durability, DoneCallback visible,
                 DoneCallback durable)
      : Decision(store),
        batch_(std::move(batch)),
        durability_(durability),
        visible_(std::move(visible)),
        durable_(std::move(durable)) {}

  absl::Status Decide() override;
  void Tell(const absl::Status& status) override;

 private:
  absl::Status Check();
  absl::Status CheckHead(Version version);
  bool Makes(Version version) const;
  int64_t Bytes() const;
  void Apply();

  CommitBatch batch_;
  const Durability durability_;
  DoneCallback visible_;
  DoneCallback durable_;
  std::vector<Record> updated_;                 // The snapshots that it changes, as they are.
  std::shared_ptr<SyncCompletion> completion_;  // Of a sync commit that is visible.
};

class RocksDbStore::DropDecision final : public Decision {
 public:
  DropDecision(RocksDbStore* store, SnapshotDrop drop, Durability durability, Callback<int64_t> done)
      : Decision(store), drop_(std::move(drop)), durability_(durability), done_(std::move(done)) {}

  absl::Status Decide() override;
  void Tell(const absl::Status& status) override;

 private:
  absl::Status Check(Version version);

  SnapshotDrop drop_;
  const Durability durability_;
  Callback<int64_t> done_;
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_DECISIONS_H_
