#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/mutation.h"
#include "client/cli/reply.h"
#include "client/cli/specs.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct StepArguments {
  std::string state;
  std::string method = "step";
  std::vector<std::string> inputs;
  std::string inputs_file;
  std::vector<std::string> outputs;
  std::vector<std::string> fetch;
  bool no_keep = false;
  bool check_finite = false;
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

absl::Status Step(Session& session, const StepArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  client::StepRequest request{.state = *state,
                              .method = arguments.method,
                              .output_names = arguments.outputs,
                              .keep = !arguments.no_keep,
                              .check_finite = arguments.check_finite};
  for (const absl::Status& applied :
       {arguments.mutation.ApplyExpectedHeadTo(request), arguments.mutation.ApplyTo(request)}) {
    if (!applied.ok()) return applied;
  }
  for (const std::string& index : arguments.fetch) request.fetch.push_back({client::IndexPath{index}, {}});
  const absl::StatusOr<v1::ModelInfo> model = session.ModelOf(*state);
  if (!model.ok()) return model.status();
  const absl::StatusOr<v1::MethodInfo> method = FindMethod(*model, arguments.method);
  if (!method.ok()) return method.status();
  absl::StatusOr<client::NamedArrays> inputs =
      SpecList::Inputs(*model, *method).ReadAll(arguments.inputs, arguments.inputs_file, session.in());
  if (!inputs.ok()) return inputs.status();
  request.inputs = *std::move(inputs);

  const absl::StatusOr<client::StepResult> result = session.client().Step(request);
  if (!result.ok()) return result.status();
  if (session.json()) {
    session.Write({{"version", result->version.value},
                   {"outputs", ArraysToJson(result->outputs)},
                   {"fetched", ArraysToJson(result->fetched)}});
  } else {
    WriteResult(*result, request.keep && !method->writes().empty(), session.out());
  }
  return absl::OkStatus();
}

}  // namespace

void AddStepCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<StepArguments>();
  CLI::App* command =
      app.add_subcommand("step", "Runs a method on a state, and tells its outputs and the new version");
  AddPositional(*command, "STATE", arguments->state, kStateHelp)->required();
  command->add_option("--method,-m", arguments->method, "Default: step")->type_name("METHOD");
  AddRepeated(*command, "--input,-i", arguments->inputs,
              "May be repeated. VALUE is JSON, or @FILE: JSON or .npy; @- is stdin")
      ->type_name("NAME=VALUE");
  command->add_option("--inputs", arguments->inputs_file, "Inputs as one JSON object; - is stdin")
      ->type_name("FILE");
  AddRepeated(*command, "--output,-o", arguments->outputs, "Return only these outputs; may be repeated")
      ->type_name("NAME");
  AddRepeated(*command, "--fetch,-f", arguments->fetch,
              "Return this state array, as it is after the step; may be repeated")
      ->type_name("INDEX");
  command->add_flag("--no-keep", arguments->no_keep, "Compute, but make no version and move no branch");
  command->add_flag("--check-finite", arguments->check_finite,
                    "Fail, and make no version, if the state would have a NaN or an infinity");
  arguments->mutation.AddExpectedHeadTo(*command);
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
  command->callback(
      [arguments, &chosen] { chosen = [arguments](Session& session) { return Step(session, *arguments); }; });
}

}  // namespace stepwell::cli
