#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/reply.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct SnapshotArguments {
  std::string name;
  std::string state;
  std::vector<std::string> labels;
};

absl::Status ShowSnapshot(Session& session, const std::string& text) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(text);
  if (!state.ok()) return state.status();
  const absl::StatusOr<v1::Snapshot> snapshot = session.client().GetSnapshot(*state);
  if (!snapshot.ok()) return snapshot.status();
  if (session.json()) {
    session.Write(SnapshotToJson(*snapshot));
  } else {
    WriteSnapshot(*snapshot, session.out());
  }
  return absl::OkStatus();
}

absl::Status ShowBranch(Session& session, const absl::StatusOr<v1::Branch>& branch) {
  if (!branch.ok()) return branch.status();
  if (session.json()) {
    session.Write(BranchToJson(*branch));
  } else {
    WriteBranch(*branch, session.out());
  }
  return absl::OkStatus();
}

absl::Status CreateBranch(Session& session, const SnapshotArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  const absl::StatusOr<client::Labels> labels = ParseLabels(arguments.labels);
  if (!labels.ok()) return labels.status();
  return ShowBranch(session, session.client().CreateBranch(arguments.name, *state, *labels));
}

}  // namespace

void AddSnapshotCommands(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<SnapshotArguments>();
  CLI::App* snapshot =
      app.add_subcommand("snapshot", "Tells what is known of a version: parent, model, labels, size");
  AddPositional(*snapshot, "STATE", arguments->state, "A version such as 42, or a branch such as live or @42")
      ->required();
  snapshot->footer(
      "Examples:\n"
      "  stepwell snapshot 3\n"
      "  stepwell snapshot live --json");
  snapshot->callback([arguments, &chosen] {
    chosen = [arguments](Session& session) { return ShowSnapshot(session, arguments->state); };
  });

  CLI::App* branch = app.add_subcommand("branch", "Makes a branch, or shows one");
  branch->require_subcommand(1);
  branch->footer(
      "Examples:\n"
      "  stepwell branch create trial live\n"
      "  stepwell branch get trial");
  CLI::App* create = branch->add_subcommand("create", "Names a state; a fork costs no copy");
  AddPositional(*create, "NAME", arguments->name, "Letters, digits and ._-/:@, the first a letter or digit")
      ->required();
  AddPositional(*create, "STATE", arguments->state, "A version such as 42, or a branch such as live or @42")
      ->required();
  AddRepeated(*create, "--label,-l", arguments->labels, "Of the branch; may be repeated")
      ->type_name("KEY=VALUE");
  create->footer(
      "Examples:\n"
      "  stepwell branch create live 1\n"
      "  stepwell branch create trial live --label why=test");
  create->callback([arguments, &chosen] {
    chosen = [arguments](Session& session) { return CreateBranch(session, *arguments); };
  });
  CLI::App* get = branch->add_subcommand("get", "Shows a branch: its head, model, labels");
  AddPositional(*get, "NAME", arguments->name, "Its name, as it is: without an @ before it")->required();
  get->footer("Example:\n  stepwell branch get live");
  get->callback([arguments, &chosen] {
    chosen = [arguments](Session& session) {
      return ShowBranch(session, session.client().GetBranch(arguments->name));
    };
  });
}

}  // namespace stepwell::cli
