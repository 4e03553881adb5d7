#ifndef STEPWELL_STORAGE_ROCKSDB_VERIFY_ROWS_H_
#define STEPWELL_STORAGE_ROCKSDB_VERIFY_ROWS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "stepwell/storage/rocksdb_database.h"
#include "stepwell/storage/rocksdb_verify.h"

namespace stepwell {

// Checks the rows of a database, one by one and against each other. What damage hides is told once, by who
// reads it. Thread-compatible.
class RowsVerifier {
 public:
  // Adds to `report`. All must outlive this.
  RowsVerifier(const RocksDbDatabase* database, VerifyReport* report, VerifyProgress progress)
      : database_(database),
        report_(report),
        progress_(progress),
        dropped_(database->Iterate(Family::kTree)) {}

  void CheckAll();

 private:
  // A snapshot or a skeleton.
  struct Node {
    Version parent{0};
    bool is_skeleton = false;
    SnapshotRecord record;
  };

  void CheckMeta();
  void CheckSnapshot(absl::string_view key, absl::string_view value);
  void CheckOrigin(const SnapshotRecord& record);
  void CheckWritten(const SnapshotRow& row);
  void CheckWriters(const SnapshotRecord& record, absl::string_view what);
  void CheckPlace(Version version, Version parent, absl::string_view what);
  void CheckTree(absl::string_view key, absl::string_view value);
  void CheckEdge(Version parent, Version child);
  void CheckPlaceRow(Version version, absl::string_view value);
  void CheckOrphan(Version writer, int position, absl::string_view value);
  void CheckRun(Version first, absl::string_view value);
  void CheckBranch(absl::string_view name, absl::string_view value);
  void CheckRequest(absl::string_view key, absl::string_view value);

  // Calls `check` with each row of `family`, which are `what`.
  void ForEach(Family family, const char* what,
               absl::FunctionRef<void(absl::string_view key, absl::string_view value)> check);

  // Absent: it is not there. What cannot be read is taken to be there.
  bool IsThere(Version version) const;
  bool WasWritten(Version writer, int position);
  absl::StatusOr<std::optional<Node>> FindNode(Version version) const;
  bool WasDropped(Version version);

  void BeginCount(const char* what) { report_->counts.push_back({.what = what}); }
  void Count();
  template <typename... Args>
  void Problem(const Args&... args);
  void Problem(const absl::Status& status) { Problem(status.message()); }

  const RocksDbDatabase* const database_;
  VerifyReport* const report_;
  const VerifyProgress progress_;
  const std::unique_ptr<rocksdb::Iterator> dropped_;
  Version reserved_end_{1};
  std::map<std::pair<std::string, int64_t>, std::vector<ModelRevisionRecord::StateArray>> revisions_;
  // By position, who was found last to have written there: most snapshots that follow share it.
  std::map<int, Version> last_writers_;
  Version last_run_end_{0};
};

}  // namespace stepwell

#endif  // STEPWELL_STORAGE_ROCKSDB_VERIFY_ROWS_H_
