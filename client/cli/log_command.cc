#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/mutation.h"
#include "client/cli/reply.h"
#include "client/cli/syntax.h"
#include "client/cli/version_graph.h"

namespace stepwell::cli {
namespace {

struct LogArguments {
  std::string state;
  std::string model;
  std::string limit = "50";
  std::string since;
  std::string until;
  LabelArguments labels{"Only those with this label; may be repeated"};
};

using BranchNames = std::map<int64_t, std::vector<std::string>>;  // By head.

absl::StatusOr<client::ListSnapshotsRequest> MakeRequest(const LogArguments& arguments) {
  if (arguments.state.empty() == arguments.model.empty()) {
    return BadInput("expected either a STATE, whose ancestors to show, or --model, all of whose states");
  }
  client::ListSnapshotsRequest request;
  if (arguments.model.empty()) {
    const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
    if (!state.ok()) return state.status();
    request.of = *state;
  } else {
    request.of = arguments.model;
  }
  for (const auto& [option, text, time] : {std::tuple("--since", &arguments.since, &request.begin_time),
                                           std::tuple("--until", &arguments.until, &request.end_time)}) {
    if (text->empty()) continue;
    const absl::StatusOr<absl::Time> parsed = ParseTime(*text, absl::Now());
    if (!parsed.ok()) return BadInputAt(option, parsed.status());
    *time = *parsed;
  }
  const absl::Status labelled = arguments.labels.ApplyTo(request);
  if (!labelled.ok()) return labelled;
  return request;
}

std::vector<std::string> NamesOf(const v1::Snapshot& snapshot, const BranchNames& branches) {
  const auto found = branches.find(snapshot.version());
  return found == branches.end() ? std::vector<std::string>() : found->second;
}

std::string Describe(const v1::Snapshot& snapshot, const std::vector<std::string>& branches) {
  std::string text =
      absl::StrCat(snapshot.version(), "  ", TimeToText(snapshot.create_time()), "  ",
                   snapshot.method().empty() ? (snapshot.has_parent() ? "set" : "make") : snapshot.method());
  if (!branches.empty()) absl::StrAppend(&text, "  (", absl::StrJoin(branches, ", "), ")");
  if (snapshot.pinned()) absl::StrAppend(&text, "  pinned");
  if (!snapshot.labels().empty()) absl::StrAppend(&text, "  ", LabelsToText(snapshot.labels()));
  return text;
}

// For versions of `listed`, which is all of a model down to the last one, whose parent is gone: the nearest
// ancestor that is left, where there is one. Each question tells that of a whole line.
absl::StatusOr<std::map<int64_t, int64_t>> FindAncestors(Session& session,
                                                         const std::vector<v1::Snapshot>& listed) {
  std::set<int64_t> versions;
  for (const v1::Snapshot& snapshot : listed) versions.insert(snapshot.version());
  std::map<int64_t, int64_t> ancestors;
  for (const v1::Snapshot& snapshot : listed) {
    const bool is_gone = snapshot.has_parent() && snapshot.parent() > listed.back().version() &&
                         !versions.contains(snapshot.parent());
    if (!is_gone || ancestors.contains(snapshot.version())) continue;
    const absl::StatusOr<v1::ListSnapshotsResponse> line = session.client().ListSnapshots(
        {.of = client::Version{snapshot.version()}, .page_size = kMaxPageSize});
    if (absl::IsNotFound(line.status())) continue;  // Deleted meanwhile.
    if (!line.ok()) return line.status();
    for (int i = 1; i < line->snapshots_size(); ++i) {
      ancestors.emplace(line->snapshots(i - 1).version(), line->snapshots(i).version());
    }
  }
  return ancestors;
}

absl::Status DrawTree(Session& session, const std::vector<v1::Snapshot>& listed,
                      const BranchNames& branches) {
  const absl::StatusOr<std::map<int64_t, int64_t>> ancestors = FindAncestors(session, listed);
  if (!ancestors.ok()) return ancestors.status();
  VersionGraph graph;
  for (const v1::Snapshot& snapshot : listed) {
    auto parent = snapshot.has_parent() ? std::make_optional(snapshot.parent()) : std::nullopt;
    const auto ancestor = ancestors->find(snapshot.version());
    if (ancestor != ancestors->end()) parent = ancestor->second;
    const std::string text = Describe(snapshot, NamesOf(snapshot, branches));
    for (const std::string& line : graph.Add(snapshot.version(), parent, text)) session.out() << line << "\n";
  }
  return absl::OkStatus();
}

absl::Status Log(Session& session, const LogArguments& arguments) {
  absl::StatusOr<client::ListSnapshotsRequest> request = MakeRequest(arguments);
  if (!request.ok()) return request.status();
  int64_t left = 0;
  if (!absl::SimpleAtoi(arguments.limit, &left) || left < 1) {
    return BadInput(absl::StrCat("--limit \"", arguments.limit, "\"; expected a positive number"));
  }
  BranchNames branches;
  const absl::Status listed = session.ForEachBranch(
      "", [&branches](const v1::Branch& branch) { branches[branch.head()].push_back(branch.name()); });
  if (!listed.ok()) return listed;

  // Ancestors are one line. Where some of a model are left out, a line from one to the next would say what is
  // not so.
  const bool is_tree = arguments.state.empty() && request->labels.empty() &&
                       request->end_time == absl::InfiniteFuture() &&
                       request->begin_time == absl::InfinitePast();
  std::vector<v1::Snapshot> tree;
  Json json = Json::array();
  bool more = true;
  while (more && left > 0) {
    request->page_size = static_cast<int>(std::min<int64_t>(left, kMaxPageSize));
    absl::StatusOr<v1::ListSnapshotsResponse> page = session.client().ListSnapshots(*request);
    if (!page.ok()) return page.status();
    for (v1::Snapshot& snapshot : *page->mutable_snapshots()) {
      const std::vector<std::string> names = NamesOf(snapshot, branches);
      if (session.json()) {
        json.push_back(SnapshotToJson(snapshot));
        json.back()["branches"] = names;
      } else if (!is_tree) {
        session.out() << "* " << Describe(snapshot, names) << "\n";
      } else {
        tree.push_back(std::move(snapshot));
      }
    }
    left -= page->snapshots_size();
    request->page_token = page->next_page_token();
    more = !request->page_token.empty();
  }
  const absl::Status drawn = DrawTree(session, tree, branches);
  if (!drawn.ok()) return drawn;
  if (session.json()) {
    session.Write(json);
  } else if (more) {
    session.out() << "… and older ones: --limit shows more\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddLogCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<LogArguments>();
  CLI::App* command = app.add_subcommand("log", "Draws the versions that led to a state, or all of a model");
  AddPositional(*command, "STATE", arguments->state, kStateHelp);
  command->add_option("--model", arguments->model, "Every version of this model instead")->type_name("MODEL");
  command->add_option("--limit,-n", arguments->limit, "At most so many, the newest. Default 50")
      ->type_name("COUNT");
  arguments->labels.AddTo(*command);
  command->add_option("--since", arguments->since, "Only those made then or later: 2026-01-31, -2h")
      ->type_name("TIME");
  command->add_option("--until", arguments->until, "Only those made before then")->type_name("TIME");
  command->footer(
      "Newest first: version, time in UTC, what made it, the branches whose head it is, labels.\n"
      "\n"
      "Examples:\n"
      "  stepwell log live\n"
      "  stepwell log --model counter --limit 200\n"
      "  stepwell log live --since -1h --label quality=good");
  Choose(*command, chosen, [arguments](Session& session) { return Log(session, *arguments); });
}

}  // namespace stepwell::cli
