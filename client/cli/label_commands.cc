#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/reply.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct ChangeArguments {
  std::string state;
  std::vector<std::string> labels;
  std::vector<std::string> removed;
};

// What `labels` become; of a key that both have, the value in `added` stays.
client::Labels Change(const google::protobuf::Map<std::string, std::string>& labels, client::Labels added,
                      const std::vector<std::string>& removed) {
  added.insert(labels.begin(), labels.end());
  for (const std::string& key : removed) added.erase(key);
  return added;
}

absl::Status LabelBranch(Session& session, const std::string& name, client::Labels added,
                         const std::vector<std::string>& removed) {
  absl::StatusOr<v1::Branch> branch = session.client().GetBranch(name);
  if (branch.ok() && (!added.empty() || !removed.empty())) {
    branch = session.client().UpdateBranch(
        {.name = name, .labels = Change(branch->labels(), std::move(added), removed)});
  }
  return ShowBranch(session, branch);
}

absl::Status Label(Session& session, const ChangeArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  absl::StatusOr<client::Labels> added = ParseLabels(arguments.labels);
  if (!added.ok()) return added.status();
  if (const auto* branch = std::get_if<client::BranchName>(&*state)) {
    return LabelBranch(session, branch->value, *std::move(added), arguments.removed);
  }
  absl::StatusOr<v1::Snapshot> snapshot = session.client().GetSnapshot(*state);
  if (snapshot.ok() && (!added->empty() || !arguments.removed.empty())) {
    snapshot = session.client().UpdateSnapshot(
        {.version = std::get<client::Version>(*state),
         .labels = Change(snapshot->labels(), *std::move(added), arguments.removed)});
  }
  return ShowSnapshot(session, snapshot);
}

absl::Status Pin(Session& session, const std::string& text, bool pinned) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(text);
  if (!state.ok()) return state.status();
  const absl::StatusOr<v1::Snapshot> snapshot = session.client().GetSnapshot(*state);
  if (!snapshot.ok()) return snapshot.status();
  return ShowSnapshot(session, session.client().UpdateSnapshot(
                                   {.version = client::Version{snapshot->version()}, .pinned = pinned}));
}

}  // namespace

void AddLabelCommands(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<ChangeArguments>();
  CLI::App* label = app.add_subcommand("label", "Writes labels on a version or on a branch");
  AddPositional(*label, "STATE", arguments->state,
                "A version such as 42, or a branch such as live: then the branch itself is labelled")
      ->required();
  AddPositionals(*label, "LABEL", arguments->labels, "To add or to replace; may be repeated")
      ->type_name("KEY=VALUE");
  AddRepeated(*label, "--remove", arguments->removed, "To take away; may be repeated")->type_name("KEY");
  label->footer(
      "Examples:\n"
      "  stepwell label 42 quality=good\n"
      "  stepwell label live stage=production --remove owner");
  Choose(*label, chosen, [arguments](Session& session) { return Label(session, *arguments); });

  for (const bool pinned : {true, false}) {
    CLI::App* pin = app.add_subcommand(pinned ? "pin" : "unpin",
                                       pinned ? "Keeps a version from being dropped" : "Takes a pin away");
    AddPositional(*pin, "STATE", arguments->state, kStateHelp)->required();
    pin->footer(pinned ? "Example:\n  stepwell pin 42" : "Example:\n  stepwell unpin 42");
    Choose(*pin, chosen,
           [arguments, pinned](Session& session) { return Pin(session, arguments->state, pinned); });
  }
}

}  // namespace stepwell::cli
