#ifndef STEPWELL_CLIENT_CLI_METHOD_CALL_H_
#define STEPWELL_CLIENT_CLI_METHOD_CALL_H_

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/mutation.h"
#include "client/cli/session.h"
#include "client/cli/specs.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {

// What the commands that run a method on a state say of it, and what the server knows of it.
struct MethodCall {
  std::string state_text;
  std::string method = "step";
  std::vector<std::string> outputs;
  std::vector<std::string> fetch;
  RevisionArguments revision;
  bool check_finite = false;

  client::StateRef state;  // Once it is parsed.
  v1::ModelInfo model;     // Once they are found.
  v1::MethodInfo info;

  void AddStateTo(CLI::App& command) {
    AddPositional(command, "STATE", state_text, kStateHelp)->required();
    command.add_option("--method,-m", method, "Default: step")->type_name("METHOD");
    revision.AddTo(command);
    command.add_flag("--check-finite", check_finite,
                     "Fail, and make no version, where a step would write a NaN or an infinity");
  }
  // `when` is that of the state arrays: "after the step".
  void AddResultsTo(CLI::App& command, const std::string& when) {
    AddRepeated(command, "--output,-o", outputs, "Return only these outputs; may be repeated")
        ->type_name("NAME");
    AddRepeated(command, "--fetch,-f", fetch,
                absl::StrCat("Return this state array, as it is ", when, "; may be repeated"))
        ->type_name("INDEX");
  }

  absl::Status Parse() {
    const absl::StatusOr<client::StateRef> parsed = ParseStateRef(state_text);
    if (parsed.ok()) state = *parsed;
    return parsed.status();
  }

  // Asks the server. BadInput: a method that the model does not have.
  absl::Status Find(Session& session) {
    const absl::StatusOr<client::RevisionChoice> choice = revision.Choice();
    if (!choice.ok()) return choice.status();
    absl::StatusOr<v1::ModelInfo> model_of_state = session.ModelOf(state, *choice);
    if (!model_of_state.ok()) return model_of_state.status();
    model = *std::move(model_of_state);
    absl::StatusOr<v1::MethodInfo> found = FindMethod(model, method);
    if (!found.ok()) return found.status();
    info = *std::move(found);
    return absl::OkStatus();
  }

  // Into a request or a step of a stream, once it is found.
  template <typename Request>
  void ApplyTo(Request& request) const {
    request.method = method;
    request.revision = *revision.Choice();
    request.adapt_state = revision.adapt;
    request.check_finite = check_finite;
    request.output_names = outputs;
    for (const std::string& index : fetch) request.fetch.push_back({client::IndexPath{index}, {}});
  }
};

// --input and --inputs.
struct InputArguments {
  std::vector<std::string> inputs;
  std::string file;

  void AddTo(CLI::App& command, const std::string& help) {
    AddRepeated(command, "--input,-i", inputs, help)->type_name("NAME=VALUE");
    command.add_option("--inputs", file, "Inputs as one JSON object; - is stdin")->type_name("FILE");
  }
  absl::StatusOr<client::NamedArrays> Read(const SpecList& specs, Session& session) const {
    return specs.ReadAll(inputs, file, session.in());
  }
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_METHOD_CALL_H_
