#ifndef STEPWELL_CLIENT_CLI_COMMANDS_H_
#define STEPWELL_CLIENT_CLI_COMMANDS_H_

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace stepwell::cli {

// What a command line asks for.
using Command = std::function<absl::Status(Session&)>;

// Has a command line that names `command` ask for `run`. `chosen` must outlive the application.
inline void Choose(CLI::App& command, Command& chosen, Command run) {
  command.callback([&chosen, run = std::move(run)] { chosen = run; });
}

// Each adds its commands to `app`; parsing a command line sets `chosen`, which must outlive `app`.
void AddModelCommands(CLI::App& app, Command& chosen);     // models, load, upload, unload
void AddMakeCommand(CLI::App& app, Command& chosen);       // make
void AddStepCommand(CLI::App& app, Command& chosen);       // step
void AddScanCommand(CLI::App& app, Command& chosen);       // scan
void AddStreamCommand(CLI::App& app, Command& chosen);     // stream
void AddBatchCommand(CLI::App& app, Command& chosen);      // batch
void AddGetCommand(CLI::App& app, Command& chosen);        // get
void AddSetCommand(CLI::App& app, Command& chosen);        // set
void AddUpgradeCommand(CLI::App& app, Command& chosen);    // upgrade
void AddDiffCommand(CLI::App& app, Command& chosen);       // diff
void AddSnapshotCommand(CLI::App& app, Command& chosen);   // snapshot
void AddLogCommand(CLI::App& app, Command& chosen);        // log
void AddLabelCommands(CLI::App& app, Command& chosen);     // label, pin, unpin
void AddDeleteCommand(CLI::App& app, Command& chosen);     // delete
void AddBranchCommands(CLI::App& app, Command& chosen);    // branch create, get, list, …; fork
void AddWatchCommand(CLI::App& app, Command& chosen);      // watch
void AddExportCommand(CLI::App& app, Command& chosen);     // export
void AddImportCommand(CLI::App& app, Command& chosen);     // import
void AddBackupCommand(CLI::App& app, Command& chosen);     // backup
void AddServeInfoCommand(CLI::App& app, Command& chosen);  // serve-info

// What every command says of a STATE.
inline constexpr char kStateHelp[] = "A version such as 42, or a branch such as live or @42";

// An argument that stands by itself.
inline CLI::Option* AddPositional(CLI::App& command, const std::string& name, std::string& value,
                                  const std::string& help) {
  return command.add_option(name, value, help)->type_name("");
}

// The library takes a word within brackets for a list and cuts it up, though it may be an index such as [0].
// A blank before the word hides the brackets; options that may hold indices take it away again.
inline std::string HideBrackets(const std::string& word) {
  const bool bracketed = word.size() > 1 && word.front() == '[' && word.back() == ']';
  return bracketed ? " " + word : word;
}
inline std::string ShowBrackets(const std::string& word) {
  return word.substr(word.rfind(" [", 0) == 0 ? 1 : 0);
}

// Arguments that stand by themselves, as many as there are.
inline CLI::Option* AddPositionals(CLI::App& command, const std::string& name,
                                   std::vector<std::string>& values, const std::string& help) {
  return command.add_option(name, values, help)->transform(ShowBrackets, "", "");
}

// An option that may be given several times, and takes one value each time.
template <typename Values>
CLI::Option* AddRepeated(CLI::App& command, const std::string& names, Values& values,
                         const std::string& help) {
  return command.add_option(names, values, help)
      ->expected(-1)
      ->allow_extra_args(false)
      ->transform(ShowBrackets, "", "");
}

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_COMMANDS_H_
