#ifndef STEPWELL_ENGINE_SNAPSHOT_IMPORT_H_
#define STEPWELL_ENGINE_SNAPSHOT_IMPORT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "stepwell/base/sha256.h"
#include "stepwell/engine/moved_history.h"
#include "stepwell/engine/request_ids.h"
#include "stepwell/engine/snapshot_writer.h"
#include "stepwell/model/repository.h"
#include "stepwell/state/retention.h"
#include "stepwell/state/version_allocator.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// What an import works with; all of it outlives every import.
struct ImportContext {
  Store* store;
  const ModelRepository* models;
  SnapshotCache* cache;
  SnapshotWriter* writer;
  VersionAllocator* versions;
  RequestIds* request_ids;
  Retention* retention;
  const Clock* clock;
  Durability default_durability;
};

// Makes a state, or one with its ancestors, of what another store has exported: snapshot by snapshot under
// new versions, which no branch leads to, and the branch at last. Where that does not come to its end, the
// snapshots are deleted again. Holds the state of one snapshot, and the numbers of all. Every call waits for
// the store. Thread-compatible.
class SnapshotImport {
 public:
  // INVALID_ARGUMENT: the branch's name, the number of snapshots, or the request_id. ALREADY_EXISTS: the
  // branch. FAILED_PRECONDITION (MODEL_DIFFERS): no revision of the model that is loaded is of the same
  // package. NOT_FOUND: the model, or the revision that is asked for.
  static absl::StatusOr<std::unique_ptr<SnapshotImport>> Open(const ImportContext& context,
                                                              ImportSnapshotsRequest request);

  // Deletes what was made, unless Finish has succeeded.
  ~SnapshotImport();
  SnapshotImport(const SnapshotImport&) = delete;
  SnapshotImport& operator=(const SnapshotImport&) = delete;

  // Makes the next snapshot. After an error, everything is deleted again, and only the destructor is to be
  // called. INVALID_ARGUMENT: an array that does not fit, or is given twice, or one snapshot too many.
  // FAILED_PRECONDITION (STATE_SPEC_MISMATCH): the state does not fit the revision. NOT_FOUND: an index.
  // As the store: it takes no more.
  absl::Status Add(MovedSnapshot snapshot);

  // Makes the branch; then it is done. Errors as Add's; INVALID_ARGUMENT: snapshots are missing;
  // (REQUEST_ID_REUSED). Where the request_id is remembered with the same content, the answer is that of the
  // first import, and the snapshots of this one are deleted again.
  absl::StatusOr<ImportSnapshotsResult> Finish();

 private:
  SnapshotImport(const ImportContext& context, ImportSnapshotsRequest request)
      : context_(context), request_(std::move(request)) {}

  absl::Status FindModels();
  absl::Status CheckBranch() const;
  absl::Status HoldRetention();
  absl::StatusOr<SnapshotDraft> MakeDraft(MovedSnapshot& snapshot);
  absl::Status LayOut(MovedSnapshot& snapshot, SnapshotDraft& draft);
  absl::Status AddChanges(MovedSnapshot& snapshot, SnapshotDraft& draft);
  absl::Status Write(SnapshotDraft draft);
  absl::StatusOr<BranchRecord> MakeBranch(std::optional<RequestKey> key);
  absl::StatusOr<ImportSnapshotsResult> ReadResult(const BranchRecord& branch) const;
  // `why`, with what became of what was made.
  absl::Status Fail(const absl::Status& why);
  absl::Status DeleteAll();

  const ImportContext context_;
  const ImportSnapshotsRequest request_;
  absl::btree_map<int64_t, std::shared_ptr<const Model>>
      models_;                                 // By the revision's number where it comes from.
  Sha256 content_;                             // Of the request and all snapshots.
  std::shared_ptr<const Snapshot> head_;       // The last that was made; null before.
  std::shared_ptr<const Model> model_before_;  // Its.
  std::vector<Version> made_;                  // Oldest first.
  std::vector<Version> pinned_;                // Of those, to be pinned when all are there.
  std::optional<Version> held_from_;
  bool may_sync_ = true;  // False once the store has said that it has no disk.
  int64_t unsynced_bytes_ = 0;
  int64_t unsynced_count_ = 0;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_SNAPSHOT_IMPORT_H_
