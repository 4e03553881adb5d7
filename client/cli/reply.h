#ifndef STEPWELL_CLIENT_CLI_REPLY_H_
#define STEPWELL_CLIENT_CLI_REPLY_H_

#include <google/protobuf/map.h>
#include <google/protobuf/timestamp.pb.h>

#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/array_json.h"
#include "client/cli/session.h"
#include "stepwell/client/types.h"
#include "stepwell/v1/branch_service.pb.h"
#include "stepwell/v1/state_service.pb.h"

// What several commands answer with, for programs and for people.
namespace stepwell::cli {

// "a=1 b=2", or "none".
std::string LabelsToText(const google::protobuf::Map<std::string, std::string>& labels);
// "the last 10, every 100 steps, younger than 1h", or "all".
std::string RetentionToText(const v1::RetentionPolicy& policy);
// In UTC, to the second: "2026-01-31 23:59:59".
std::string TimeToText(const google::protobuf::Timestamp& time);

Json SnapshotToJson(const v1::Snapshot& snapshot);

// Writes what a command answers with, as the session says; the error when there is none.
template <typename Message>
absl::Status Show(Session& session, const absl::StatusOr<Message>& message, Json (*to_json)(const Message&),
                  void (*write)(const Message&, std::ostream&)) {
  if (!message.ok()) return message.status();
  if (session.json()) {
    session.Write(to_json(*message));
  } else {
    write(*message, session.out());
  }
  return absl::OkStatus();
}
absl::Status ShowSnapshot(Session& session, const absl::StatusOr<v1::Snapshot>& snapshot);
absl::Status ShowBranch(Session& session, const absl::StatusOr<v1::Branch>& branch);

Json RetentionToJson(const v1::RetentionPolicy& policy);
Json BranchToJson(const v1::Branch& branch);

// {"NAME": {"dtype", "shape", "value"}, ...}
Json ArraysToJson(const client::NamedArrays& arrays);

// Each array after an empty line, under its name, dtype and shape.
void WriteArrays(const client::NamedArrays& arrays, std::ostream& out);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_REPLY_H_
