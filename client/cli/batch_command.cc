#include <CLI/CLI.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/failures.h"
#include "client/cli/mutation.h"
#include "client/cli/reply.h"
#include "client/cli/specs.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct BatchArguments {
  std::string file = "-";
  std::string method = "step";
  std::vector<std::string> outputs;
  bool all_or_nothing = false;
  bool check_finite = false;
  MutationArguments mutation;
};

// A line that tells a step, or why it does not.
struct BatchLine {
  int64_t number;  // From 1.
  absl::StatusOr<client::StepRequest> step;
};

// Makes steps of lines. Asks the server for each model once. Thread-compatible.
class BatchLineParser {
 public:
  // `common` is what the steps have in common.
  BatchLineParser(Session& session, client::StepRequest common)
      : session_(session), common_(std::move(common)) {}

  absl::StatusOr<client::StepRequest> Parse(absl::string_view line) {
    const absl::StatusOr<Json> object = ParseJson(line);
    if (!object.ok()) return object.status();
    if (!object->is_object() || !object->contains("state")) {
      return BadInput(
          "the line is no JSON object of a step, such as {\"state\": \"live\", \"inputs\": {\"x\": 5}}");
    }
    client::StepRequest step = common_;
    Json inputs = Json::object();
    for (const auto& [name, value] : object->items()) {
      if (name == "state") {
        const absl::StatusOr<client::StateRef> state =
            ParseStateRef(value.is_string() ? value.get<std::string>() : value.dump());
        if (!state.ok()) return state.status();
        step.state = *state;
      } else if (name == "method" && value.is_string()) {
        step.method = value.get<std::string>();
      } else if (name == "inputs" && value.is_object()) {
        inputs = value;
      } else {
        return BadInput(absl::StrCat("\"", name,
                                     "\": ", value.dump(-1, ' ', true, Json::error_handler_t::replace),
                                     "; expected \"state\", a text \"method\" and an object \"inputs\""));
      }
    }
    const absl::StatusOr<v1::ModelInfo> model = ModelOf(step.state);
    if (!model.ok()) return model.status();
    const absl::StatusOr<v1::MethodInfo> method = FindMethod(*model, step.method);
    if (!method.ok()) return method.status();
    absl::StatusOr<client::NamedArrays> read = SpecList::Inputs(*model, *method).ReadObject(inputs, "");
    if (!read.ok()) return read.status();
    step.inputs = *std::move(read);
    return step;
  }

 private:
  absl::StatusOr<v1::ModelInfo> ModelOf(const client::StateRef& state) {
    const absl::StatusOr<v1::Snapshot> snapshot = session_.client().GetSnapshot(state);
    if (!snapshot.ok()) return snapshot.status();
    const auto known = models_.find(snapshot->model());
    if (known != models_.end()) return known->second;
    absl::StatusOr<v1::ModelInfo> model = session_.client().GetModel(snapshot->model());
    if (model.ok()) models_.emplace(snapshot->model(), *model);
    return model;
  }

  Session& session_;
  const client::StepRequest common_;
  std::map<std::string, v1::ModelInfo> models_;
};

absl::StatusOr<std::vector<BatchLine>> ReadBatch(Session& session, const std::string& file,
                                                 client::StepRequest common) {
  std::ifstream opened;
  if (file != "-") {
    opened.open(file);
    if (!opened) return BadInput(absl::StrCat("\"", file, "\" cannot be read"));
  }
  std::istream& in = file == "-" ? *session.in() : opened;
  BatchLineParser parser(session, std::move(common));
  std::vector<BatchLine> lines;
  std::string text;
  for (int64_t number = 1; std::getline(in, text); ++number) {
    if (!absl::StripAsciiWhitespace(text).empty()) lines.push_back({number, parser.Parse(text)});
  }
  if (lines.empty()) return BadInput("no line tells a step; expected at least one");
  return lines;
}

// Of the whole batch where it is all or nothing: the first line that is no step.
absl::Status FirstFault(const std::vector<BatchLine>& lines) {
  for (const BatchLine& line : lines) {
    if (line.step.ok()) continue;
    Failures failures;
    failures.Add(line.number, line.step.status());
    return failures.ToStatus(static_cast<int64_t>(lines.size()));
  }
  return absl::OkStatus();
}

absl::Status Batch(Session& session, BatchArguments& arguments) {
  client::StepRequest common{
      .method = arguments.method, .output_names = arguments.outputs, .check_finite = arguments.check_finite};
  const absl::Status applied = arguments.mutation.labels.ApplyTo(common);
  if (!applied.ok()) return applied;
  absl::StatusOr<std::vector<BatchLine>> lines = ReadBatch(session, arguments.file, std::move(common));
  if (!lines.ok()) return lines.status();

  client::BatchStepRequest request{.all_or_nothing = arguments.all_or_nothing,
                                   .request_id = arguments.mutation.request_id};
  if (const absl::Status fault = FirstFault(*lines); arguments.all_or_nothing && !fault.ok()) return fault;
  for (BatchLine& line : *lines) {
    if (line.step.ok()) request.steps.push_back(*line.step);
  }
  client::BatchStepResult result;
  if (!request.steps.empty()) {
    absl::StatusOr<client::BatchStepResult> stepped = session.client().BatchStep(request);
    if (!stepped.ok()) return stepped.status();
    result = *std::move(stepped);
  }
  Failures failures;
  size_t next = 0;
  for (const BatchLine& line : *lines) {
    const absl::StatusOr<client::StepResult> stepped =
        line.step.ok() ? result.results[next++] : absl::StatusOr<client::StepResult>(line.step.status());
    if (stepped.ok()) {
      session.Write({{"version", stepped->version.value}, {"outputs", ArraysToJson(stepped->outputs)}});
    } else {
      failures.Add(line.number, stepped.status());
      WriteJsonError(stepped.status(), session.out());
    }
  }
  return failures.ToStatus(static_cast<int64_t>(lines->size()));
}

}  // namespace

void AddBatchCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<BatchArguments>();
  CLI::App* command =
      app.add_subcommand("batch", "Steps many states in one call, each with a line of a file");
  AddPositional(*command, "FILE", arguments->file, "Of JSON lines. Default: -, the standard input");
  command->add_option("--method,-m", arguments->method, "Of the lines that name none. Default: step")
      ->type_name("METHOD");
  AddRepeated(*command, "--output,-o", arguments->outputs, "Return only these outputs; may be repeated")
      ->type_name("NAME");
  command->add_flag("--all-or-nothing", arguments->all_or_nothing,
                    "Commit every step as one, or none when one fails; then each branch once");
  command->add_flag("--check-finite", arguments->check_finite,
                    "Fail a step that would write a NaN or an infinity");
  arguments->mutation.AddTo(*command);
  command->footer(
      "Each line is a JSON object: {\"state\": \"live\", \"method\": \"step\", \"inputs\": {\"x\": 5}}. The "
      "state\n"
      "is a version or a branch; method and inputs may be left out. Each line has one line of answer, in\n"
      "order: {\"version\": …, \"outputs\": …}, or {\"error\": …} for a step that failed. Steps of models "
      "that\n"
      "declare batching run together. After a step that failed, the exit code is not 0.\n"
      "\n"
      "Examples:\n"
      "  stepwell batch tick.jsonl --output y\n"
      "  stepwell batch --all-or-nothing < tick.jsonl");
  Choose(*command, chosen, [arguments](Session& session) { return Batch(session, *arguments); });
}

}  // namespace stepwell::cli
