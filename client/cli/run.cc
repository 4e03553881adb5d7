#include "client/cli/run.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

constexpr char kFooter[] =
    "STATE is a version (a number) or a branch (a name); a branch whose name is a number is written\n"
    "@NAME. `stepwell COMMAND --help` teaches each command by examples.\n"
    "\n"
    "A first session:\n"
    "  stepwell models                            what can be stepped\n"
    "  stepwell make counter --branch live        a new state: version 1, and a branch whose head it is\n"
    "  stepwell step live --input x=5             outputs, and version 2, the new head\n"
    "  stepwell get live count                    the state, by index\n"
    "  stepwell step 1 --input x=7                version 1 is as it was: this is a fork\n"
    "  stepwell log --model counter               every version, and which came from which\n"
    "\n"
    "Exit codes:\n"
    "  0  done\n"
    "  1  the server said no; stderr has its code, reason and message\n"
    "  2  the command line, a value or a file is wrong; nothing was changed, unless it is stdout that fails\n"
    "  3  no answer: the server cannot be reached, is stopping, or --timeout was over\n"
    "With --json, stdout is one JSON value, and an error is {\"error\": {\"code\", \"reason\", \"message\",\n"
    "\"metadata\"}} on stderr. Floats that are no numbers are \"NaN\", \"Infinity\" and \"-Infinity\".";

void Report(const absl::Status& status, const GlobalOptions& options, std::ostream& err) {
  if (options.json) {
    WriteJsonError(status, err);
  } else {
    WriteError(status, options.server, err);
  }
}

// The command that a command line meant, as far as it was understood, to point to its help.
std::string Innermost(const CLI::App& app) {
  const std::vector<const CLI::App*> commands =
      app.get_subcommands([](const CLI::App* sub) { return sub->parsed(); });
  return commands.empty() ? app.get_name() : absl::StrCat(app.get_name(), " ", Innermost(*commands.front()));
}

// The library's own heading speaks of subcommands.
void NameGroups(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    command->group("Commands");
    NameGroups(*command);
  }
}

std::string Message(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining(true);
  if (!unknown.empty()) return absl::StrCat("\"", unknown.front(), "\" is not expected here");
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && app.get_subcommands().empty()) {
    return "no command is given";
  }
  return error.what();
}

}  // namespace

int Run(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err) {
  GlobalOptions options;
  std::string timeout;
  Command chosen;
  CLI::App app("Makes, steps and reads the states of a Stepwell server.", "stepwell");
  app.fallthrough();
  app.require_subcommand(1);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->column_width(34);
  app.add_option("--server", options.server, "HOST:PORT or unix:PATH. Default 127.0.0.1:7350")
      ->envname("STEPWELL_SERVER")
      ->type_name("ADDRESS");
  app.add_option("--timeout", timeout, "Of each call, in seconds or with a unit: 500ms, 2m. Default 30s")
      ->type_name("TIME");
  app.add_flag("--json", options.json, "Answer, and complain, in JSON");
  app.set_version_flag("--version", STEPWELL_VERSION);
  app.footer(kFooter);
  AddModelCommands(app, chosen);
  AddMakeCommand(app, chosen);
  AddStepCommand(app, chosen);
  AddScanCommand(app, chosen);
  AddStreamCommand(app, chosen);
  AddBatchCommand(app, chosen);
  AddGetCommand(app, chosen);
  AddSetCommand(app, chosen);
  AddUpgradeCommand(app, chosen);
  AddDiffCommand(app, chosen);
  AddSnapshotCommand(app, chosen);
  AddLogCommand(app, chosen);
  AddLabelCommands(app, chosen);
  AddDeleteCommand(app, chosen);
  AddBranchCommands(app, chosen);
  AddWatchCommand(app, chosen);
  AddExportCommand(app, chosen);
  AddImportCommand(app, chosen);
  AddBackupCommand(app, chosen);
  AddServeInfoCommand(app, chosen);
  NameGroups(app);

  try {
    std::vector<std::string> words;  // The last first, as the library wants them.
    for (int i = argc - 1; i > 0; --i) words.push_back(HideBrackets(argv[i]));
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, out, err);  // --help and --version.
    options.json = std::find_if(argv, argv + argc, [](absl::string_view word) { return word == "--json"; }) !=
                   argv + argc;
    Report(BadInput(absl::StrCat(Message(app, error), "; `", Innermost(app), " --help` shows what it takes")),
           options, err);
    return kExitBadInput;
  }
  if (!timeout.empty()) {
    const absl::StatusOr<absl::Duration> parsed = ParseDuration(timeout);
    if (!parsed.ok()) {
      Report(BadInputAt("--timeout", parsed.status()), options, err);
      return kExitBadInput;
    }
    options.timeout = *parsed;
    options.has_timeout = true;
  }

  Session session(options, &in, &out);
  absl::Status status = chosen(session);
  out.flush();
  if (status.ok() && !out) status = BadInput("the standard output cannot be written");
  if (!status.ok()) Report(status, options, err);
  return ExitCode(status);
}

}  // namespace stepwell::cli
