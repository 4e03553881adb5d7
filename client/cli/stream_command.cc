#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/failures.h"
#include "client/cli/method_call.h"
#include "client/cli/mutation.h"
#include "client/cli/reply.h"
#include "client/cli/specs.h"
#include "client/cli/step_lines.h"

namespace stepwell::cli {
namespace {

struct StreamArguments {
  MethodCall call;
  bool no_keep = false;
  ExpectedHeadArgument expected_head;
  LabelArguments labels{"Of each new snapshot; may be repeated"};
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

absl::Status Stream(Session& session, StreamArguments& arguments) {
  client::StreamRequest request;
  client::StreamStep step{.keep = !arguments.no_keep};
  for (const absl::Status& applied :
       {arguments.call.Parse(), arguments.expected_head.ApplyTo(request), arguments.labels.ApplyTo(step)}) {
    if (!applied.ok()) return applied;
  }
  const absl::Status found = arguments.call.Find(session);
  if (!found.ok()) return found;
  request.state = arguments.call.state;
  arguments.call.ApplyTo(step);

  const absl::StatusOr<std::unique_ptr<client::Stream>> stream = session.client().OpenStream(request);
  if (!stream.ok()) return stream.status();
  const std::shared_ptr<StepLines> lines =
      StepLines::Start(session.in(), SpecList::Inputs(arguments.call.model, arguments.call.info),
                       std::move(step), stream->get());
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
  arguments->call.AddStateTo(*command);
  arguments->call.AddResultsTo(*command, "after the step");
  command->add_flag("--no-keep", arguments->no_keep, "Compute, but make no version and move no branch");
  arguments->expected_head.AddTo(*command);
  arguments->labels.AddTo(*command);
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
  Choose(*command, chosen, [arguments](Session& session) { return Stream(session, *arguments); });
}

}  // namespace stepwell::cli
