#include "client/cli/error.h"

#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "stepwell/client/status.h"

namespace stepwell::cli {
namespace {

constexpr char kBadInputUrl[] = "stepwell/cli/bad-input";

struct Hint {
  const char* reason;
  const char* text;  // {name} stands for the error's metadata of that name.
};

constexpr Hint kHints[] = {
    {"MODEL_NOT_FOUND",
     "`stepwell models` lists what the server has; `stepwell load {model}` loads a new package"},
    {"MODEL_NOT_READY", "`stepwell models {model}` says why; `stepwell load {model}` tries again"},
    {"MODEL_INVALID", "mend the package, then `stepwell load {model}`, or upload it again"},
    {"MODEL_EXISTS", "--replace makes it the next revision of {model}; --name gives it another name"},
    {"UPLOADS_OFF", "stepwelld --allow-upload takes packages from whoever can reach it"},
    {"UPLOAD_TOO_LARGE", "the server's max_upload_bytes raises the limit"},
    {"METHOD_NOT_FOUND", "`stepwell models {model}` lists its methods"},
    {"INDEX_NOT_FOUND", "`stepwell models MODEL` lists the indices of a model's state"},
    {"BRANCH_NOT_FOUND",
     "`stepwell branch create {branch} VERSION` makes it; so does `stepwell make MODEL --branch {branch}`"},
    {"BRANCH_EXISTS", "take another name, or go on with the branch: `stepwell snapshot {branch}`"},
    {"HEAD_MOVED",
     "look at what is there now, `stepwell get {branch}`, then say --expected-head {current_head}"},
    {"SNAPSHOT_UNKNOWN",
     "`stepwell branch get NAME` tells a branch's head; `stepwell make MODEL` makes a new state"},
    {"SNAPSHOT_EVICTED", "it is gone for good; `stepwell log --model MODEL` shows what is there"},
    {"SNAPSHOT_PINNED", "`stepwell unpin {version}` takes the pin away"},
    {"SNAPSHOT_IS_HEAD",
     "`stepwell branch move {branch} STATE` or `stepwell branch delete {branch}` frees it"},
    {"MEMORY_LIMIT",
     "`stepwell delete VERSION...` makes room; so does a greater --max-state-bytes of stepwelld"},
    {"STATE_SPEC_MISMATCH",
     "`stepwell models {model}` shows the state spec; `stepwell make {model}` starts anew"},
    {"NON_FINITE", "no version was made: the state is as it was before; are the inputs as they should be?"},
    {"MOVES_FORGOTTEN", "watch without --after, then look where the branches are: `stepwell branch list`"},
    {"WATCH_LIMIT", "the server's max_watches raises the limit"},
    {"QUEUE_FULL", "the server is busy; try again"},
    {"REPLY_TOO_LARGE", "ask for less with --output and --fetch, or read the state with `stepwell get`"},
};

std::string HintFor(const absl::Status& status, absl::string_view server) {
  const std::string reason = client::ErrorReason(status);
  for (const Hint& hint : kHints) {
    if (reason != hint.reason) continue;
    std::string text = hint.text;
    for (const auto& [key, value] : client::ErrorMetadata(status)) {
      text = absl::StrReplaceAll(text, {{absl::StrCat("{", key, "}"), value}});
    }
    return text;
  }
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return absl::StrCat("is stepwelld running at ", server,
                          "? --server or STEPWELL_SERVER name another address");
    case absl::StatusCode::kDeadlineExceeded:
      return absl::StrCat("no answer from ", server, " in time; --timeout 2m waits longer");
    case absl::StatusCode::kUnimplemented:
      return "this server is older than the command, or is no stepwelld";
    default:
      return "";
  }
}

}  // namespace

absl::Status BadInput(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kBadInputUrl, absl::Cord());
  return status;
}

absl::Status BadInputAt(absl::string_view context, const absl::Status& status) {
  return status.ok() ? status : BadInput(absl::StrCat(context, ": ", status.message()));
}

int ExitCode(const absl::Status& status) {
  if (status.ok()) return kExitOk;
  if (status.GetPayload(kBadInputUrl).has_value()) return kExitBadInput;
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ? kExitUnreachable : kExitRefused;
}

void WriteError(const absl::Status& status, absl::string_view server, std::ostream& out) {
  out << "stepwell: ";
  if (ExitCode(status) != kExitBadInput) {
    out << absl::StatusCodeToString(status.code());
    const std::string reason = client::ErrorReason(status);
    if (!reason.empty()) out << " (" << reason << ")";
    out << ": ";
  }
  out << status.message() << "\n";
  const std::string hint = HintFor(status, server);
  if (!hint.empty()) out << "  " << hint << "\n";
}

void WriteJsonError(const absl::Status& status, std::ostream& out) {
  using Json = nlohmann::ordered_json;
  const Json error = {{"code", absl::StatusCodeToString(status.code())},
                      {"reason", client::ErrorReason(status)},
                      {"message", std::string(status.message())},
                      {"metadata", client::ErrorMetadata(status)}};
  // Names in a message are the server's or the user's: what is not UTF-8 must not fail here.
  out << Json({{"error", error}}).dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace stepwell::cli
