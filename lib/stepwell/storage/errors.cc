#include "stepwell/storage/errors.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "stepwell/base/error_info.h"

namespace stepwell {

absl::Status SnapshotUnknown(Version version) {
  return WithErrorInfo(absl::NotFoundError(absl::StrCat("version ", version.value(),
                                                        " is unknown; expected a version that MakeState, ",
                                                        "Step or SetArrays of this server returned")),
                       "SNAPSHOT_UNKNOWN", {{"version", absl::StrCat(version.value())}});
}

absl::Status SnapshotEvicted(Version version) {
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat("version ", version.value(),
                                       " was deleted, or retention dropped it; expected a version that is "
                                       "still there: what descends from it is whole")),
      "SNAPSHOT_EVICTED", {{"version", absl::StrCat(version.value())}});
}

absl::Status SnapshotPinned(Version version) {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat(
          "version ", version.value(), " is pinned; UpdateSnapshot unpins it before it is deleted")),
      "SNAPSHOT_PINNED", {{"version", absl::StrCat(version.value())}});
}

absl::Status SnapshotLabelled(Version version) {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("version ", version.value(),
                                                 " is labelled; expected one without labels, as those that "
                                                 "have some are to be spared")),
      "SNAPSHOT_LABELLED", {{"version", absl::StrCat(version.value())}});
}

absl::Status SnapshotIsHead(Version version, absl::string_view branch) {
  return WithErrorInfo(absl::FailedPreconditionError(
                           absl::StrCat("version ", version.value(), " is the head of branch \"", branch,
                                        "\"; move or delete the branch before it is deleted")),
                       "SNAPSHOT_IS_HEAD",
                       {{"branch", std::string(branch)}, {"version", absl::StrCat(version.value())}});
}

absl::Status BranchNotFound(absl::string_view branch) {
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat("branch \"", branch, "\" does not exist; CreateBranch makes one")),
      "BRANCH_NOT_FOUND", {{"branch", std::string(branch)}});
}

absl::Status BranchExists(absl::string_view branch) {
  return WithErrorInfo(absl::AlreadyExistsError(absl::StrCat("branch \"", branch, "\" exists already")),
                       "BRANCH_EXISTS", {{"branch", std::string(branch)}});
}

absl::Status HeadMoved(absl::string_view branch, Version expected, Version current) {
  return WithErrorInfo(absl::AbortedError(absl::StrCat("the head of branch \"", branch, "\" is version ",
                                                       current.value(), "; expected ", expected.value())),
                       "HEAD_MOVED",
                       {{"branch", std::string(branch)},
                        {"current_head", absl::StrCat(current.value())},
                        {"expected_head", absl::StrCat(expected.value())}});
}

absl::Status BranchChangedTwice(absl::string_view branch) {
  return absl::InternalError(
      absl::StrCat("a commit changes branch \"", branch, "\" twice; expected one change of a branch"));
}

absl::Status RequestIdReused(absl::StatusCode code, absl::string_view id) {
  return WithErrorInfo(
      absl::Status(code, absl::StrCat("request_id \"", absl::CHexEscape(id),
                                      "\" was given with another request before; expected one of its own for "
                                      "each request, and the same request when it is repeated")),
      "REQUEST_ID_REUSED", {{"request_id", std::string(id)}});
}

absl::Status DurabilityUnavailable(absl::string_view store) {
  return WithErrorInfo(
      absl::FailedPreconditionError(
          absl::StrCat("durability SYNC is not to be had: the ", store,
                       " store keeps nothing on disk; ask for ASYNC, or leave the durability to the server")),
      "DURABILITY_UNAVAILABLE");
}

absl::Status MemoryLimit(int64_t bytes, int64_t used, int64_t limit) {
  return WithErrorInfo(
      absl::ResourceExhaustedError(absl::StrCat("the store holds ", used, " bytes, and ", bytes,
                                                " more would exceed its limit of ", limit,
                                                "; nothing was stored. max_state_bytes in the server's "
                                                "configuration raises the limit")),
      "MEMORY_LIMIT", {{"limit", absl::StrCat(limit)}});
}

absl::Status ArrayDamaged(Version writer, int position, absl::string_view detail) {
  return WithErrorInfo(absl::DataLossError(absl::StrCat("the array at position ", position, " that version ",
                                                        writer.value(), " wrote is damaged: ", detail,
                                                        "; versions that do not refer to it are whole")),
                       "ARRAY_DAMAGED",
                       {{"position", absl::StrCat(position)}, {"version", absl::StrCat(writer.value())}});
}

absl::Status RecordDamaged(absl::string_view what, absl::string_view detail) {
  return WithErrorInfo(absl::DataLossError(absl::StrCat(what, " is damaged in the store: ", detail)),
                       "RECORD_DAMAGED");
}

absl::Status StoreReadFailed(absl::string_view what, absl::string_view detail) {
  return WithErrorInfo(absl::InternalError(absl::StrCat("the store could not read ", what, ": ", detail)),
                       "STORE_READ_FAILED");
}

absl::Status StoreWriteFailed(absl::string_view detail) {
  return WithErrorInfo(
      absl::InternalError(absl::StrCat("what was asked for is done, but could not be written: ", detail,
                                       "; it is lost when the server stops")),
      "STORE_WRITE_FAILED");
}

absl::Status StoreReadOnly(absl::string_view detail) {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("the store is read-only since a write failed: ", detail,
                                                 "; expected a disk that takes what is written: make room "
                                                 "where it is full, have `stepwelld --verify` "
                                                 "look where it is damaged, then restart the server")),
      "STORE_READ_ONLY");
}

absl::Status WriteQueueFull(int64_t waiting, int64_t limit, absl::string_view unit) {
  return WithErrorInfo(absl::ResourceExhaustedError(
                           absl::StrCat(waiting, " ", unit, " wait to be written, and at most ", limit,
                                        " may; nothing was stored. The disk is slower than what is "
                                        "committed: try again later")),
                       "QUEUE_FULL", {{"limit", absl::StrCat(limit)}});
}

absl::Status CopyQueueFull(size_t limit) {
  return WithErrorInfo(absl::ResourceExhaustedError(absl::StrCat(
                           limit,
                           " backups wait for another one already, which is as many as may; try again "
                           "later")),
                       "QUEUE_FULL", {{"limit", absl::StrCat(limit)}});
}

absl::Status ArrayTooLarge(int64_t bytes, int64_t limit) {
  return WithErrorInfo(absl::ResourceExhaustedError(absl::StrCat("an array has ", bytes,
                                                                 " bytes, and the store takes at most ",
                                                                 limit, " in one; nothing was stored")),
                       "ARRAY_TOO_LARGE", {{"limit", absl::StrCat(limit)}});
}

absl::Status ReadQueueFull(size_t limit) {
  return WithErrorInfo(
      absl::ResourceExhaustedError(
          absl::StrCat(limit, " reads of the disk wait already, which is as many as may; try again later")),
      "QUEUE_FULL", {{"limit", absl::StrCat(limit)}});
}

absl::Status BackupUnavailable(absl::string_view store) {
  return WithErrorInfo(
      absl::FailedPreconditionError(
          absl::StrCat("a backup is not to be had: the ", store,
                       " store keeps nothing on disk; expected a server that was started with --data-dir")),
      "BACKUP_UNAVAILABLE");
}

absl::Status BackupExists(absl::string_view path) {
  return WithErrorInfo(
      absl::AlreadyExistsError(
          absl::StrCat("\"", path, "\" is there already; expected a name that nothing has, for the backup")),
      "BACKUP_EXISTS");
}

absl::Status BackupFailed(absl::string_view path, absl::string_view detail) {
  return WithErrorInfo(absl::InternalError(absl::StrCat("the backup \"", path, "\" cannot be written: ",
                                                        detail, "; nothing is there under that name")),
                       "BACKUP_FAILED");
}

absl::Status DirectoryInUse(absl::string_view path) {
  return absl::FailedPreconditionError(
      absl::StrCat("the data directory \"", path,
                   "\" is in use; expected one that no other server has open: stop that one, or give another "
                   "directory"));
}

absl::Status DirectoryForeign(absl::string_view path, absl::string_view found) {
  return absl::FailedPreconditionError(
      absl::StrCat("the data directory \"", path, "\" holds ", found,
                   "; expected an empty directory, one that does not exist yet, or one that Stepwell made"));
}

absl::Status DirectoryOfNewerFormat(absl::string_view path, int64_t format, int64_t newest) {
  return absl::FailedPreconditionError(
      absl::StrCat("the data directory \"", path, "\" has format ", format, "; expected at most ", newest,
                   ", the newest that this build knows: use the Stepwell that wrote it, or a later one"));
}

absl::Status DirectoryNotWritable(absl::string_view path, absl::string_view detail) {
  return absl::FailedPreconditionError(absl::StrCat("the data directory \"", path,
                                                    "\" cannot be written: ", detail,
                                                    "; expected one in which this user may make files"));
}

absl::Status DirectoryEmpty(absl::string_view path) {
  return absl::FailedPreconditionError(
      absl::StrCat("the data directory \"", path,
                   "\" has no store; expected one that Stepwell made, with its file STEPWELL"));
}

absl::Status DirectoryDamaged(absl::string_view path, absl::string_view detail) {
  return absl::DataLossError(absl::StrCat("the data directory \"", path, "\" is damaged: ", detail,
                                          "; expected it as Stepwell left it: restore it from a backup"));
}

}  // namespace stepwell
