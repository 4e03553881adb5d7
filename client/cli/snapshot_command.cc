#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/reply.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

absl::Status Show(Session& session, const std::string& text) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(text);
  if (!state.ok()) return state.status();
  return ShowSnapshot(session, session.client().GetSnapshot(*state));
}

}  // namespace

void AddSnapshotCommand(CLI::App& app, Command& chosen) {
  const auto state = std::make_shared<std::string>();
  CLI::App* snapshot =
      app.add_subcommand("snapshot", "Tells what is known of a version: parent, model, labels, size");
  AddPositional(*snapshot, "STATE", *state, kStateHelp)->required();
  snapshot->footer(
      "Examples:\n"
      "  stepwell snapshot 3\n"
      "  stepwell snapshot live --json");
  Choose(*snapshot, chosen, [state](Session& session) { return Show(session, *state); });
}

}  // namespace stepwell::cli
