#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/mutation.h"
#include "client/cli/reply.h"
#include "client/cli/specs.h"
#include "client/cli/step_lines.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct StreamArguments {
  std::string state;
  std::string method = "step";
  std::vector<std::string> outputs;
  std::vector<std::string> fetch;
  bool no_keep = false;
  std::vector<std::string> labels;
  MutationArguments mutation;
};

// The steps that failed. The first of them decides the exit code.
class Failures {
 public:
  void Add(int64_t line, const absl::Status& status) {
    if (count_++ > 0) return;
    line_ = line;
    first_ = status;
  }

  absl::Status ToStatus(int64_t steps) const {
    if (count_ == 0) return absl::OkStatus();
    absl::Status status(first_.code(),
                        absl::StrCat(count_, " of ", steps, " steps failed, the first on line ", line_, ": ",
                                     first_.message()));
    first_.ForEachPayload(
        [&status](absl::string_view url, const absl::Cord& payload) { status.SetPayload(url, payload); });
    return status;
  }

 private:
  int64_t count_ = 0;
  int64_t line_ = 0;
  absl::Status first_;
};

// Prints the answer to each line in turn, until the lines or the stream end.
absl::Status PrintAnswers(Session& session, StepLines& lines, client::Stream& stream) {
  Failures failures;
  int64_t steps = 0;
  while (const std::optional<StepLines::Line> line = lines.Next()) {
    ++steps;
    absl::Status status = line->status;
    if (status.ok()) {
      const std::optional<absl::StatusOr<client::StepResult>> result = stream.Read();
      if (!result.has_value()) break;
      status = result->status();
      if (status.ok()) {
        session.Write({{"version", (*result)->version.value},
                       {"outputs", ArraysToJson((*result)->outputs)},
                       {"fetched", ArraysToJson((*result)->fetched)}});
      }
    }
    if (!status.ok()) {
      failures.Add(line->number, status);
      WriteJsonError(status, session.out());
    }
    session.out().flush();
    if (!session.out()) break;  // The caller says so.
  }
  return failures.ToStatus(steps);
}

absl::Status Stream(Session& session, const StreamArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  client::StreamRequest request{.state = *state};
  const absl::Status expected = arguments.mutation.ApplyExpectedHeadTo(request);
  if (!expected.ok()) return expected;
  client::StreamStep step{
      .method = arguments.method, .output_names = arguments.outputs, .keep = !arguments.no_keep};
  absl::StatusOr<client::Labels> labels = ParseLabels(arguments.labels);
  if (!labels.ok()) return labels.status();
  step.labels = *std::move(labels);
  for (const std::string& index : arguments.fetch) step.fetch.push_back({client::IndexPath{index}, {}});
  const absl::StatusOr<v1::ModelInfo> model = session.ModelOf(*state);
  if (!model.ok()) return model.status();
  const absl::StatusOr<v1::MethodInfo> method = FindMethod(*model, arguments.method);
  if (!method.ok()) return method.status();

  const absl::StatusOr<std::unique_ptr<client::Stream>> stream = session.client().OpenStream(request);
  if (!stream.ok()) return stream.status();
  const std::shared_ptr<StepLines> lines =
      StepLines::Start(session.in(), SpecList::Inputs(*model, *method), std::move(step), stream->get());
  const absl::Status failed = PrintAnswers(session, *lines, **stream);
  if (!session.out()) (*stream)->Cancel();
  const absl::Status ended = (*stream)->Finish();
  lines->End();
  return ended.ok() || !session.out() ? failed : ended;
}

}  // namespace

void AddStreamCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<StreamArguments>();
  CLI::App* command = app.add_subcommand(
      "stream", "Steps a state with each line of the standard input, many steps under way at once");
  AddPositional(*command, "STATE", arguments->state, kStateHelp)->required();
  command->add_option("--method,-m", arguments->method, "Default: step")->type_name("METHOD");
  AddRepeated(*command, "--output,-o", arguments->outputs, "Return only these outputs; may be repeated")
      ->type_name("NAME");
  AddRepeated(*command, "--fetch,-f", arguments->fetch,
              "Return this state array, as it is after the step; may be repeated")
      ->type_name("INDEX");
  command->add_flag("--no-keep", arguments->no_keep, "Compute, but make no version and move no branch");
  arguments->mutation.AddExpectedHeadTo(*command);
  AddRepeated(*command, "--label,-l", arguments->labels, "Of each new snapshot; may be repeated")
      ->type_name("KEY=VALUE");
  command->footer(
      "Each line is a JSON object of inputs, {\"x\": 5}, and has one line of answer, in order:\n"
      "{\"version\": …, \"outputs\": …, \"fetched\": …}, or {\"error\": …} for a step that failed, which\n"
      "leaves the state where it was. Each step starts from the version that the one before made.\n"
      "When the connection breaks, the stream is taken up where it was, and no step is done twice.\n"
      "--timeout is how long an answer may take. After a step that failed, the exit code is not 0.\n"
      "\n"
      "Examples:\n"
      "  stepwell stream live < inputs.jsonl > outputs.jsonl\n"
      "  tail -f readings.jsonl | stepwell stream ward --output score");
  command->callback([arguments, &chosen] {
    chosen = [arguments](Session& session) { return Stream(session, *arguments); };
  });
}

}  // namespace stepwell::cli
