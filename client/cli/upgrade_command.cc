#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/mutation.h"
#include "client/cli/reply.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct UpgradeArguments {
  std::string state;
  RevisionArguments revision{.text = "newest"};
  ExpectedHeadArgument expected_head;
  MutationArguments mutation;
};

absl::Status Upgrade(Session& session, const UpgradeArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  client::SetArraysRequest request{.state = *state};
  for (const absl::Status& applied :
       {arguments.revision.ApplyTo(request), arguments.expected_head.ApplyTo(request),
        arguments.mutation.ApplyTo(request)}) {
    if (!applied.ok()) return applied;
  }
  return ShowSnapshot(session, session.client().SetArrays(request));
}

}  // namespace

void AddUpgradeCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<UpgradeArguments>();
  CLI::App* command =
      app.add_subcommand("upgrade", "Moves a state to another revision of its model, as it is");
  AddPositional(*command, "STATE", arguments->state, kStateHelp)->required();
  command->add_option("--revision", arguments->revision.text, "To move to: a number. Default: newest")
      ->type_name("N");
  command->add_flag(
      "--adapt", arguments->revision.adapt,
      "New indices get their initial values, and those that the revision does not have are left out");
  arguments->expected_head.AddTo(*command);
  arguments->mutation.AddTo(*command);
  command->footer(
      "Makes a new version; of a branch, it moves the head, and the history stays. Steps on it are that "
      "revision's from\n"
      "then on.\n"
      "\n"
      "Examples:\n"
      "  stepwell upgrade live\n"
      "  stepwell upgrade @42 --revision 3 --adapt");
  Choose(*command, chosen, [arguments](Session& session) { return Upgrade(session, *arguments); });
}

}  // namespace stepwell::cli
