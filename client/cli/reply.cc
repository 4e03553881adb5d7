#include "client/cli/reply.h"

#include <google/protobuf/util/time_util.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "client/cli/array_text.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"

namespace stepwell::cli {
namespace {

using google::protobuf::util::TimeUtil;

using LabelMap = google::protobuf::Map<std::string, std::string>;

std::map<std::string, std::string> Sorted(const LabelMap& labels) { return {labels.begin(), labels.end()}; }

}  // namespace

std::string LabelsToText(const LabelMap& labels) {
  return labels.empty() ? "none" : absl::StrJoin(Sorted(labels), " ", absl::PairFormatter("="));
}

std::string TimeToText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

Json SnapshotToJson(const v1::Snapshot& snapshot) {
  Json json = {{"version", snapshot.version()}};
  json["parent"] = snapshot.has_parent() ? Json(snapshot.parent()) : Json();
  json["model"] = snapshot.model();
  json["revision"] = snapshot.revision();
  json["method"] = snapshot.method();
  json["create_time"] = TimeUtil::ToString(snapshot.create_time());
  json["labels"] = Sorted(snapshot.labels());
  json["step_count"] = snapshot.step_count();
  json["pinned"] = snapshot.pinned();
  json["input_digest"] = snapshot.input_digest();
  json["state_bytes"] = snapshot.state_bytes();
  json["new_bytes"] = snapshot.new_bytes();
  json["durable"] = snapshot.durable();
  return json;
}

Json BranchToJson(const v1::Branch& branch) {
  Json json = {{"name", branch.name()}, {"model", branch.model()}, {"head", branch.head()}};
  json["create_time"] = TimeUtil::ToString(branch.create_time());
  json["update_time"] = TimeUtil::ToString(branch.update_time());
  json["expire_time"] = branch.has_expire_time() ? Json(TimeUtil::ToString(branch.expire_time())) : Json();
  json["labels"] = Sorted(branch.labels());
  json["retention"] = branch.has_retention() ? RetentionToJson(branch.retention()) : Json();
  return json;
}

Json RetentionToJson(const v1::RetentionPolicy& policy) {
  Json json = {{"keep_last", nullptr}, {"keep_every", nullptr}, {"max_age", nullptr}};
  if (policy.has_keep_last()) json["keep_last"] = policy.keep_last();
  if (policy.has_keep_every()) json["keep_every"] = policy.keep_every();
  if (policy.has_max_age()) json["max_age"] = TimeUtil::ToString(policy.max_age());
  return json;
}

std::string RetentionToText(const v1::RetentionPolicy& policy) {
  std::vector<std::string> rules;
  if (policy.has_keep_last()) rules.push_back(absl::StrCat("the last ", policy.keep_last()));
  if (policy.has_keep_every()) rules.push_back(absl::StrCat("every ", policy.keep_every(), " steps"));
  if (policy.has_max_age()) {
    const google::protobuf::Duration& age = policy.max_age();
    rules.push_back(absl::StrCat("younger than ", absl::FormatDuration(absl::Seconds(age.seconds()) +
                                                                       absl::Nanoseconds(age.nanos()))));
  }
  return rules.empty() ? "all" : absl::StrJoin(rules, ", ");
}

namespace {

void WriteSnapshot(const v1::Snapshot& snapshot, std::ostream& out) {
  Table table;
  table.Add({"version", absl::StrCat(snapshot.version())});
  table.Add({"parent", snapshot.has_parent() ? absl::StrCat(snapshot.parent()) : "none: a root"});
  table.Add({"model", absl::StrCat(snapshot.model(), ", revision ", snapshot.revision())});
  table.Add({"method", snapshot.method().empty() ? "none" : snapshot.method()});
  table.Add({"steps", absl::StrCat(snapshot.step_count(), " since the root")});
  table.Add({"made", TimeUtil::ToString(snapshot.create_time())});
  table.Add({"labels", LabelsToText(snapshot.labels())});
  table.Add({"pinned", snapshot.pinned() ? "yes" : "no"});
  if (!snapshot.input_digest().empty()) table.Add({"inputs", snapshot.input_digest()});
  table.Add({"state", absl::StrCat(BytesToText(snapshot.state_bytes()), ", of which new here ",
                                   BytesToText(snapshot.new_bytes()))});
  table.Add({"durable", snapshot.durable() ? "yes" : "no: it would not survive a crash now"});
  table.Write(out);
}

void WriteBranch(const v1::Branch& branch, std::ostream& out) {
  Table table;
  table.Add({"branch", branch.name()});
  table.Add({"head", absl::StrCat("version ", branch.head())});
  table.Add({"model", branch.model()});
  table.Add({"made", TimeUtil::ToString(branch.create_time())});
  table.Add({"moved", TimeUtil::ToString(branch.update_time())});
  if (branch.has_expire_time()) table.Add({"expires", TimeUtil::ToString(branch.expire_time())});
  if (branch.has_retention()) table.Add({"keeps", RetentionToText(branch.retention())});
  table.Add({"labels", LabelsToText(branch.labels())});
  table.Write(out);
}

}  // namespace

absl::Status ShowSnapshot(Session& session, const absl::StatusOr<v1::Snapshot>& snapshot) {
  return Show(session, snapshot, SnapshotToJson, WriteSnapshot);
}

absl::Status ShowBranch(Session& session, const absl::StatusOr<v1::Branch>& branch) {
  return Show(session, branch, BranchToJson, WriteBranch);
}

Json ArraysToJson(const client::NamedArrays& arrays) {
  Json json = Json::object();
  for (const auto& [name, array] : arrays) {
    json[name] = {{"dtype", std::string(DTypeName(array.dtype()))},
                  {"shape", std::vector<int64_t>(array.shape().dims().begin(), array.shape().dims().end())},
                  {"value", ArrayToJson(array)}};
  }
  return json;
}

void WriteArrays(const client::NamedArrays& arrays, std::ostream& out) {
  for (const auto& [name, array] : arrays) {
    out << "\n"
        << name << "  " << array.dtype() << " " << array.shape() << "\n"
        << ArrayToText(array) << "\n";
  }
}

}  // namespace stepwell::cli
