#ifndef STEPWELL_STORAGE_ROCKSDB_DATABASE_H_
#define STEPWELL_STORAGE_ROCKSDB_DATABASE_H_

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "rocksdb/db.h"
#include "stepwell/storage/rocksdb_codec.h"
#include "stepwell/storage/rocksdb_directory.h"
#include "stepwell/storage/rocksdb_synced_mark.h"

namespace stepwell {

// The column families, by how they are read and written; docs/impl.md has their keys.
enum class Family { kMeta, kSnapshots, kArrays, kBranches, kRequests, kTree };

// What a RocksDbStore has on disk, and the rows in it. Reads wait for the disk. Where `view` is given, they
// see what was there when it was taken. Thread-safe, but for writes and syncs, which one thread at a time
// does.
class RocksDbDatabase {
 public:
  // Opens what is at `path`, or makes it. What a log holds behind its last whole record, and was not synced,
  // goes. Errors as RocksDbDirectory; also INTERNAL, and DATA_LOSS, which changes nothing: what is known to
  // be synced cannot be read. `env` must outlive this.
  static absl::StatusOr<std::unique_ptr<RocksDbDatabase>> Open(const std::string& path, rocksdb::Env* env);

  // Opens the store in `directory`, which is `path`, as it is: writes nothing, and cannot be written.
  static absl::StatusOr<std::unique_ptr<RocksDbDatabase>> OpenForReading(
      std::unique_ptr<RocksDbDirectory> directory, const std::string& path, rocksdb::Env* env);

  ~RocksDbDatabase();

  // The record under `version`. NOT_FOUND (SNAPSHOT_UNKNOWN, SNAPSHOT_EVICTED).
  absl::StatusOr<SnapshotRow> ReadSnapshot(Version version, const rocksdb::Snapshot* view = nullptr) const;

  // Absent: the node is a snapshot that hangs under its parent, or is not there.
  absl::StatusOr<std::optional<PlaceRow>> ReadPlace(Version version,
                                                    const rocksdb::Snapshot* view = nullptr) const;

  // What `writer` wrote at `position`. NOT_FOUND (SNAPSHOT_UNKNOWN, SNAPSHOT_EVICTED).
  absl::StatusOr<ArrayPart> ReadArray(Version writer, int position) const;

  absl::StatusOr<OrphanRow> ReadOrphan(Version writer, int position) const;

  // Whether `version` was dropped, the run of versions around it that were, too.
  struct Run {
    Version first{0};
    Version last{0};
  };
  // Seeks with `tree`, which goes over that family.
  absl::StatusOr<std::optional<Run>> FindDropped(Version version, rocksdb::Iterator& tree) const;

  absl::StatusOr<std::vector<BranchRecord>> ReadBranches() const;
  absl::StatusOr<std::vector<RequestRecord>> ReadRequests() const;  // Oldest first.
  absl::StatusOr<Version> ReadReservedEnd() const;                  // 1 in a new store.

  absl::StatusOr<std::vector<ModelRevisionRecord>> ReadModelRevisions() const;

  std::unique_ptr<rocksdb::Iterator> Iterate(Family family, const rocksdb::Snapshot* view = nullptr) const;

  // What is to be said when `status`, not OK, came of reading `what`: DATA_LOSS (RECORD_DAMAGED), or INTERNAL
  // (STORE_READ_FAILED).
  absl::Status ReadError(const rocksdb::Status& status, absl::string_view what) const;

  // Writes all of `batch` to the log, or nothing. It survives a crash of the process, and after Sync one of
  // the machine. What fails leaves open whether it is there; from then on both fail, whatever the disk does:
  // a sync that succeeds after one that failed says nothing of what was to be synced before.
  rocksdb::Status Write(rocksdb::WriteBatch& batch);
  rocksdb::Status Sync();

  rocksdb::ColumnFamilyHandle* family(Family family) const { return families_[static_cast<size_t>(family)]; }
  rocksdb::DB& db() const { return *db_; }
  rocksdb::Env* env() const { return db_->GetEnv(); }

 private:
  static constexpr size_t kFamilies = 6;

  class DatabaseListener;

  explicit RocksDbDatabase(std::unique_ptr<RocksDbDirectory> directory) : directory_(std::move(directory)) {}

  // Begins to note what is synced.
  absl::Status OpenMark(const std::string& path, rocksdb::Env* env, DatabaseListener& listener);

  // Absent: there is no such row.
  absl::StatusOr<std::optional<std::string>> Get(Family family, absl::string_view key, absl::string_view what,
                                                 const rocksdb::Snapshot* view = nullptr) const;
  // What `status` says, and where.
  std::string DetailOf(const rocksdb::Status& status) const;
  // What is to be said of a snapshot that is not there.
  absl::Status Missing(Version version) const;

  const std::unique_ptr<RocksDbDirectory> directory_;
  std::shared_ptr<SyncedMark> mark_;
  rocksdb::Status failed_;  // What the first write or sync that failed said.
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_ = {};
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_DATABASE_H_
