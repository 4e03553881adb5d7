#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/progress.h"
#include "client/cli/reply.h"
#include "client/cli/table.h"

namespace stepwell::cli {
namespace {

Json BackupToJson(const v1::CreateBackupResponse& backup) {
  return {{"name", backup.name()},
          {"path", backup.path()},
          {"byte_count", backup.byte_count()},
          {"newest_version", backup.newest_version()}};
}

void WriteBackup(const v1::CreateBackupResponse& backup, std::ostream& out) {
  Table table;
  table.Add({"backup", backup.name()});
  table.Add({"path", backup.path()});
  table.Add({"files", BytesToText(backup.byte_count())});
  table.Add({"newest", backup.newest_version() == 0
                           ? "no version: the server had none"
                           : absl::StrCat("version ", backup.newest_version(), ", perhaps later ones")});
  table.Write(out);
}

}  // namespace

void AddBackupCommand(CLI::App& app, Command& chosen) {
  const auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("backup", "Copies all that the server has to a folder beside it");
  AddPositional(*command, "NAME", *name, "Of the folder. Default: the time, such as 20260131T235959Z");
  command->footer(
      "The server goes on meanwhile, and the copy is as of one moment. It is made on the server's machine, "
      "in the\n"
      "folder that stepwelld was given as --backup-dir. A large one takes a longer --timeout to wait for; it "
      "is\n"
      "finished anyway.\n"
      "\n"
      "To restore it, start a server on it, or on a copy: stepwelld --data-dir BACKUP.\n"
      "\n"
      "Examples:\n"
      "  stepwell backup\n"
      "  stepwell backup before-upgrade --timeout 10m\n"
      "  stepwell backup --json | jq -r .path");
  Choose(*command, chosen, [name](Session& session) {
    return Show(session, session.client().CreateBackup(*name), BackupToJson, WriteBackup);
  });
}

}  // namespace stepwell::cli
