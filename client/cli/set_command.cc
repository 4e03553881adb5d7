#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/mutation.h"
#include "client/cli/reply.h"
#include "client/cli/specs.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

// Arrays of more go in chunks: well below what a server takes in one message, which it does not tell.
constexpr int64_t kMaxMessageBytes = 1 << 20;

struct SetArguments {
  std::string state;
  std::vector<std::string> arrays;
  ExpectedHeadArgument expected_head;
  MutationArguments mutation;
};

absl::Status Set(Session& session, const SetArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  client::SetArraysRequest request{.state = *state};
  for (const absl::Status& applied :
       {arguments.expected_head.ApplyTo(request), arguments.mutation.ApplyTo(request)}) {
    if (!applied.ok()) return applied;
  }
  const absl::StatusOr<v1::ModelInfo> model = session.ModelOf(*state, client::SameRevision());
  if (!model.ok()) return model.status();
  ArraySource source(session.in());
  absl::StatusOr<client::NamedArrays> arrays = SpecList::StateArrays(*model).Read(arguments.arrays, source);
  if (!arrays.ok()) return arrays.status();
  int64_t bytes = 0;
  for (auto& [index, array] : *arrays) {
    bytes += array.byte_count();
    request.arrays.emplace_back(client::IndexPath{index}, std::move(array));
  }

  const absl::StatusOr<v1::Snapshot> snapshot =
      bytes > kMaxMessageBytes ? session.client().WriteArrays(request) : session.client().SetArrays(request);
  if (!snapshot.ok()) return snapshot.status();
  if (session.json()) {
    session.Write({{"version", snapshot->version()}, {"snapshot", SnapshotToJson(*snapshot)}});
  } else {
    session.out() << "version " << snapshot->version() << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddSetCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<SetArguments>();
  CLI::App* command = app.add_subcommand("set", "Makes a new version with some state arrays replaced");
  AddPositional(*command, "STATE", arguments->state, kStateHelp)->required();
  AddPositionals(*command, "ARRAY", arguments->arrays,
                 "What to replace; may be repeated. VALUE is JSON, or @FILE: JSON or .npy; @- is stdin")
      ->type_name("INDEX=VALUE")
      ->required();
  arguments->expected_head.AddTo(*command);
  arguments->mutation.AddTo(*command);
  command->footer(
      "Of a branch, it moves the head, as a step does.\n"
      "\n"
      "Examples:\n"
      "  stepwell set live count=0\n"
      "  stepwell set 3 running_mean=[0,0,0,0] running_var=@var.npy --label why=reset");
  Choose(*command, chosen, [arguments](Session& session) { return Set(session, *arguments); });
}

}  // namespace stepwell::cli
