#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/method_call.h"
#include "client/cli/mutation.h"
#include "client/cli/reply.h"
#include "client/cli/specs.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct StepArguments {
  MethodCall call;
  InputArguments inputs;
  bool no_keep = false;
  ExpectedHeadArgument expected_head;
  MutationArguments mutation;
};

void WriteResult(const client::StepResult& result, bool minted, std::ostream& out) {
  out << "version " << result.version.value << (minted ? "" : ", which was read; no new one was made")
      << "\n";
  WriteArrays(result.outputs, out);
  if (result.fetched.empty()) return;
  out << "\nstate after the step:\n";
  WriteArrays(result.fetched, out);
}

absl::Status Step(Session& session, StepArguments& arguments) {
  client::StepRequest request{.keep = !arguments.no_keep};
  for (const absl::Status& applied : {arguments.call.Parse(), arguments.expected_head.ApplyTo(request),
                                      arguments.mutation.ApplyTo(request)}) {
    if (!applied.ok()) return applied;
  }
  const absl::Status found = arguments.call.Find(session);
  if (!found.ok()) return found;
  request.state = arguments.call.state;
  arguments.call.ApplyTo(request);
  absl::StatusOr<client::NamedArrays> inputs =
      arguments.inputs.Read(SpecList::Inputs(arguments.call.model, arguments.call.info), session);
  if (!inputs.ok()) return inputs.status();
  request.inputs = *std::move(inputs);

  const absl::StatusOr<client::StepResult> result = session.client().Step(request);
  if (!result.ok()) return result.status();
  if (session.json()) {
    session.Write({{"version", result->version.value},
                   {"outputs", ArraysToJson(result->outputs)},
                   {"fetched", ArraysToJson(result->fetched)}});
  } else {
    WriteResult(*result, request.keep && !arguments.call.info.writes().empty(), session.out());
  }
  return absl::OkStatus();
}

}  // namespace

void AddStepCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<StepArguments>();
  CLI::App* command =
      app.add_subcommand("step", "Runs a method on a state, and tells its outputs and the new version");
  arguments->call.AddStateTo(*command);
  arguments->inputs.AddTo(*command, "May be repeated. VALUE is JSON, or @FILE: JSON or .npy; @- is stdin");
  arguments->call.AddResultsTo(*command, "after the step");
  command->add_flag("--no-keep", arguments->no_keep, "Compute, but make no version and move no branch");
  arguments->expected_head.AddTo(*command);
  arguments->mutation.AddTo(*command);
  command->footer(
      "A step on a branch moves its head; a step on a version is a fork, and moves nothing.\n"
      "The dtype of JSON is the model's. Where a float may be NaN or infinite, JSON says \"NaN\",\n"
      "\"Infinity\" or \"-Infinity\", with or without quotes.\n"
      "\n"
      "Examples:\n"
      "  stepwell step live --input x=5\n"
      "  stepwell step 3 --input x=[0.5,1,2] --fetch hidden\n"
      "  stepwell step live --method infer --input x=@batch.npy --output y\n"
      "  echo '{\"x\": [0.5, 1, 2]}' | stepwell step live --inputs - --json");
  Choose(*command, chosen, [arguments](Session& session) { return Step(session, *arguments); });
}

}  // namespace stepwell::cli
