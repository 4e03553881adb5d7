#include "server/services/admin_service.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/convert/encode.h"
#include "server/services/call_handlers.h"
#include "stepwell/base/error_info.h"

namespace stepwell::server {
namespace {

constexpr size_t kMaxNameBytes = 128;

// A name that begins with a letter or digit is no way out of the folder, nor that of a copy which is half
// done.
absl::Status CheckBackupName(absl::string_view name) {
  const bool fits =
      !name.empty() && name.size() <= kMaxNameBytes &&
      absl::ascii_isalnum(static_cast<unsigned char>(name.front())) &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
      });
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "backup name \"", absl::CHexEscape(name), "\"; expected 1 to ", kMaxNameBytes,
      " letters, digits and \"._-\", the first a letter or digit: the server decides on the folder"));
}

absl::Status NoBackupDirectory() {
  return WithErrorInfo(
      absl::FailedPreconditionError(
          "a backup is not to be had: the server has no folder for them; expected one that was "
          "started with --backup-dir, and with --data-dir"),
      "BACKUP_UNAVAILABLE");
}

}  // namespace

AdminService::AdminService(Store* store, const Clock* clock, std::filesystem::path backup_dir,
                           RpcServer& rpcs)
    : store_(store), clock_(clock), backup_dir_(std::move(backup_dir)) {
  rpcs.AddService(&generated_);
  AddUnary<v1::CreateBackupRequest>(
      rpcs, generated_, &Generated::RequestCreateBackup,
      [this](auto call, auto request) { CreateBackup(call, std::move(request)); });
}

void AdminService::CreateBackup(std::shared_ptr<UnaryCall> call, v1::CreateBackupRequest&& message) {
  if (backup_dir_.empty()) return call->Answer(NoBackupDirectory());
  if (message.name().empty()) {
    message.set_name(absl::FormatTime("%Y%m%dT%H%M%SZ", clock_->Now(), absl::UTCTimeZone()));
  }
  const absl::Status named = CheckBackupName(message.name());
  if (!named.ok()) return call->Answer(named);
  using Records = std::vector<std::shared_ptr<const SnapshotRecord>>;
  store_->ScanSnapshots(
      Version(std::numeric_limits<int64_t>::max()), 1,
      [this, call = std::move(call), name = message.name()](const absl::StatusOr<Records>& newest) {
        if (!newest.ok()) return call->Answer(newest.status());
        v1::CreateBackupResponse reply;
        reply.set_name(name);
        reply.set_path((backup_dir_ / name).string());
        if (!newest->empty()) reply.set_newest_version(newest->front()->version.value());
        store_->Checkpoint(reply.path(), [call, reply](const absl::StatusOr<int64_t>& bytes) mutable {
          if (!bytes.ok()) return call->Answer(bytes.status());
          reply.set_byte_count(*bytes);
          call->Answer(Serialize(reply));
        });
      });
}

}  // namespace stepwell::server
