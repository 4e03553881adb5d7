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
                                       " was deleted; expected a version that is still there: what descends "
                                       "from it is whole")),
      "SNAPSHOT_EVICTED", {{"version", absl::StrCat(version.value())}});
}

absl::Status SnapshotPinned(Version version) {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat(
          "version ", version.value(), " is pinned; UpdateSnapshot unpins it before it is deleted")),
      "SNAPSHOT_PINNED", {{"version", absl::StrCat(version.value())}});
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

}  // namespace stepwell
