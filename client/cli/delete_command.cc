#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/progress.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

absl::Status DeleteVersions(Session& session, const std::vector<std::string>& texts) {
  client::DeleteSnapshotsRequest request;
  for (const std::string& text : texts) {
    const absl::StatusOr<client::Version> version = ParseVersion(text);
    if (!version.ok()) return version.status();
    request.versions.push_back(*version);
  }
  const absl::StatusOr<v1::DeleteSnapshotsResponse> deleted = session.client().DeleteSnapshots(request);
  if (!deleted.ok()) return deleted.status();
  if (session.json()) {
    Json versions = Json::array();
    for (const client::Version& version : request.versions) versions.push_back(version.value);
    session.Write({{"deleted", versions}, {"freed_bytes", deleted->freed_bytes()}});
  } else {
    session.out() << "deleted " << request.versions.size()
                  << (request.versions.size() == 1 ? " version" : " versions") << ", freed "
                  << BytesToText(deleted->freed_bytes()) << " of arrays\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddDeleteCommand(CLI::App& app, Command& chosen) {
  const auto versions = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("delete", "Deletes versions for good, all of them or none");
  AddPositionals(*command, "VERSION", *versions, "Such as 42; neither pinned nor a branch's head")
      ->required();
  command->footer(
      "What descends from a version, or shares its arrays, stays whole.\n"
      "\n"
      "Examples:\n"
      "  stepwell delete 42\n"
      "  stepwell delete 40 41 42 --json");
  Choose(*command, chosen, [versions](Session& session) { return DeleteVersions(session, *versions); });
}

}  // namespace stepwell::cli
