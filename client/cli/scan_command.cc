#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/method_call.h"
#include "client/cli/mutation.h"
#include "client/cli/npy.h"
#include "client/cli/reply.h"
#include "client/cli/specs.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct ScanArguments {
  MethodCall call;
  InputArguments inputs;
  int64_t step_count = 0;
  int64_t keep_every = 0;
  std::string npy_file;
  ExpectedHeadArgument expected_head;
  MutationArguments mutation;
};

absl::Status WriteOutput(const client::ScanResult& result, const std::string& file) {
  if (result.outputs.size() != 1) {
    return BadInput(absl::StrCat("--npy writes one array, and the scan gives ", result.outputs.size(),
                                 "; name one by --output"));
  }
  return WriteNpyFile(result.outputs[0].second, file);
}

absl::Status Scan(Session& session, ScanArguments& arguments) {
  client::ScanRequest request{.step_count = arguments.step_count, .keep_every = arguments.keep_every};
  for (const absl::Status& applied : {arguments.call.Parse(), arguments.expected_head.ApplyTo(request),
                                      arguments.mutation.ApplyTo(request)}) {
    if (!applied.ok()) return applied;
  }
  const absl::Status found = arguments.call.Find(session);
  if (!found.ok()) return found;
  request.state = arguments.call.state;
  arguments.call.ApplyTo(request);
  const v1::MethodInfo& method = arguments.call.info;
  const int outputs =
      request.output_names.empty() ? method.outputs_size() : static_cast<int>(request.output_names.size());
  if (!arguments.npy_file.empty() && outputs != 1) {
    return BadInput(
        absl::StrCat("--npy writes one array, and the scan would give ", outputs, "; name one by --output"));
  }
  absl::StatusOr<client::NamedArrays> inputs =
      arguments.inputs.Read(SpecList::StackedInputs(arguments.call.model, method), session);
  if (!inputs.ok()) return inputs.status();
  request.inputs = *std::move(inputs);

  const absl::StatusOr<client::ScanResult> result = session.client().Scan(request);
  if (!result.ok()) return result.status();
  if (!arguments.npy_file.empty()) {
    const absl::Status written = WriteOutput(*result, arguments.npy_file);
    if (!written.ok()) return written;
  }
  const auto to_text = [](std::string* out, client::Version version) { absl::StrAppend(out, version.value); };
  if (session.json()) {
    Json versions = Json::array();
    for (const client::Version version : result->versions) versions.push_back(version.value);
    session.Write({{"version", result->versions.back().value},
                   {"versions", versions},
                   {"outputs", ArraysToJson(result->outputs)},
                   {"fetched", ArraysToJson(result->fetched)}});
    return absl::OkStatus();
  }
  session.out() << "version " << result->versions.back().value;
  if (method.writes().empty()) {
    session.out() << ", which was read; no new one was made";
  } else if (result->versions.size() > 1) {
    session.out() << "; kept: " << absl::StrJoin(result->versions, " ", to_text);
  }
  session.out() << "\n";
  if (arguments.npy_file.empty()) {
    WriteArrays(result->outputs, session.out());
  } else {
    const auto& [name, array] = result->outputs[0];
    session.out() << "wrote " << name << ", " << array.dtype() << " " << array.shape() << ", to "
                  << arguments.npy_file << "\n";
  }
  if (!result->fetched.empty()) {
    session.out() << "\nstate after the last step:\n";
    WriteArrays(result->fetched, session.out());
  }
  return absl::OkStatus();
}

}  // namespace

void AddScanCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<ScanArguments>();
  CLI::App* command =
      app.add_subcommand("scan", "Runs a method many times in one call, on inputs stacked in arrays");
  arguments->call.AddStateTo(*command);
  arguments->inputs.AddTo(
      *command,
      "Of all steps, on a new outermost axis; may be repeated. VALUE is JSON, or @FILE: JSON or .npy");
  command->add_option("--steps", arguments->step_count, "How many, for a method without inputs")
      ->type_name("COUNT");
  command
      ->add_option("--keep-every,-k", arguments->keep_every,
                   "Keep the version of every K-th step, and the last. Default: the last alone")
      ->type_name("K");
  arguments->call.AddResultsTo(*command, "after the last step");
  command->add_option("--npy", arguments->npy_file, "Write the one output to this file, for numpy.load")
      ->type_name("FILE");
  arguments->expected_head.AddTo(*command);
  arguments->mutation.AddTo(*command);
  command->footer(
      "The steps are committed as one: all of them, or none when one fails.\n"
      "\n"
      "Examples:\n"
      "  stepwell scan live --input x=[1,2,3]\n"
      "  stepwell scan live --input x=@day.npy --output score --npy scores.npy --keep-every 100");
  Choose(*command, chosen, [arguments](Session& session) { return Scan(session, *arguments); });
}

}  // namespace stepwell::cli
