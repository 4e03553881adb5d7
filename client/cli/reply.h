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
// In UTC, to the second: "2026-01-31 23:59:59".
std::string TimeToText(const google::protobuf::Timestamp& time);

Json SnapshotToJson(const v1::Snapshot& snapshot);
void WriteSnapshot(const v1::Snapshot& snapshot, std::ostream& out);

// Writes what a command answers with, as the session says; the error when there is none.
absl::Status ShowSnapshot(Session& session, const absl::StatusOr<v1::Snapshot>& snapshot);
absl::Status ShowBranch(Session& session, const absl::StatusOr<v1::Branch>& branch);

Json BranchToJson(const v1::Branch& branch);
void WriteBranch(const v1::Branch& branch, std::ostream& out);

// {"NAME": {"dtype", "shape", "value"}, ...}
Json ArraysToJson(const client::NamedArrays& arrays);

// Each array after an empty line, under its name, dtype and shape.
void WriteArrays(const client::NamedArrays& arrays, std::ostream& out);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_REPLY_H_
