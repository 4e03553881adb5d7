#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "client/cli/commands.h"
#include "client/cli/mutation.h"
#include "client/cli/reply.h"
#include "client/cli/specs.h"

namespace stepwell::cli {
namespace {

struct MakeArguments {
  std::string model;
  std::string branch;
  std::vector<std::string> arrays;
  std::optional<uint64_t> seed;
  std::optional<int64_t> revision;
  MutationArguments mutation;
};

absl::Status Make(Session& session, const MakeArguments& arguments) {
  client::MakeStateRequest request{
      .model = arguments.model, .revision = arguments.revision, .rng_seed = arguments.seed};
  if (!arguments.branch.empty()) request.branch = arguments.branch;
  const absl::Status applied = arguments.mutation.ApplyTo(request);
  if (!applied.ok()) return applied;
  if (!arguments.arrays.empty()) {
    const absl::StatusOr<v1::ModelInfo> model = session.client().GetModel(arguments.model);
    if (!model.ok()) return model.status();
    ArraySource source(session.in());
    absl::StatusOr<client::NamedArrays> arrays = SpecList::StateArrays(*model).Read(arguments.arrays, source);
    if (!arrays.ok()) return arrays.status();
    request.arrays = *std::move(arrays);
  }
  const absl::StatusOr<v1::MakeStateResponse> made = session.client().MakeState(request);
  if (!made.ok()) return made.status();
  if (session.json()) {
    Json json = {{"version", made->snapshot().version()}, {"snapshot", SnapshotToJson(made->snapshot())}};
    if (made->has_branch()) json["branch"] = BranchToJson(made->branch());
    session.Write(json);
    return absl::OkStatus();
  }
  session.out() << "version " << made->snapshot().version();
  if (made->has_branch()) session.out() << ", head of branch " << made->branch().name();
  session.out() << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddMakeCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<MakeArguments>();
  CLI::App* command = app.add_subcommand("make", "Makes a new state of a model, and tells its version");
  AddPositional(*command, "MODEL", arguments->model, "Whose state; `stepwell models` lists them")->required();
  command
      ->add_option("--branch,-b", arguments->branch, "Make this branch too, with the new version as its head")
      ->type_name("NAME");
  AddRepeated(
      *command, "--set", arguments->arrays,
      "Instead of the initial value; may be repeated. VALUE is JSON, or @FILE: JSON or .npy; @- is stdin")
      ->type_name("INDEX=VALUE");
  command->add_option("--seed", arguments->seed, "For models whose state has random keys")->type_name("N");
  command->add_option("--revision", arguments->revision, "Of the model. Default: the newest")->type_name("N");
  arguments->mutation.AddTo(*command);
  command->footer(
      "Examples:\n"
      "  stepwell make counter --branch live\n"
      "  stepwell make counter --set count=41 --label why=test\n"
      "  stepwell make prng_dropout --seed 7\n"
      "  stepwell make gru_cell --set hidden=@hidden.npy");
  Choose(*command, chosen, [arguments](Session& session) { return Make(session, *arguments); });
}

}  // namespace stepwell::cli
