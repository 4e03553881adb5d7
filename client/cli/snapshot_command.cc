#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/reply.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

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
  snapshot->callback(
      [state, &chosen] { chosen = [state](Session& session) { return ShowSnapshot(session, *state); }; });
}

}  // namespace stepwell::cli
