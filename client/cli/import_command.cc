#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/mutation.h"
#include "client/cli/progress.h"
#include "client/cli/reply.h"
#include "client/cli/state_file.h"

namespace stepwell::cli {
namespace {

struct ImportArguments {
  std::string file;
  std::string branch;
  std::string request_id;
  RevisionArguments revision;
};

absl::StatusOr<v1::ImportSnapshotsResponse> Send(Session& session, StateFileReader& reader,
                                                 const client::ImportSnapshotsRequest& request) {
  ProgressBar bar(isatty(STDERR_FILENO) != 0 ? &std::cerr : nullptr);
  int64_t sent = 0;
  return session.client().ImportSnapshots(
      request,
      [&](client::SnapshotSender& sender) {
        for (int64_t n = 0; n < reader.head().history.snapshot_count(); ++n) {
          if (!sender.Send(reader.snapshot(n))) return absl::OkStatus();
          const absl::Status read = reader.ReadData(n, [&](absl::string_view bytes) {
            sent += static_cast<int64_t>(bytes.size());
            bar.Update(sent, reader.data_bytes());
            return sender.Send(bytes) ? absl::OkStatus() : absl::CancelledError("");
          });
          if (absl::IsCancelled(read)) return absl::OkStatus();  // The server has said why.
          if (!read.ok()) return read;
        }
        return absl::OkStatus();
      },
      session.WithoutHaste());
}

absl::Status Import(Session& session, const ImportArguments& arguments) {
  const absl::StatusOr<std::unique_ptr<StateFileReader>> reader = StateFileReader::Open(arguments.file);
  if (!reader.ok()) return reader.status();
  const StateFileHead& head = (*reader)->head();
  client::ImportSnapshotsRequest request{.history = head.history,
                                         .branch = arguments.branch.empty() ? head.branch : arguments.branch,
                                         .request_id = arguments.request_id};
  if (request.branch.empty()) {
    return BadInput(absl::StrCat(
        "\"", arguments.file, "\" is of a version, not of a branch; name the branch to make with --branch"));
  }
  const absl::Status applied = arguments.revision.ApplyTo(request);
  if (!applied.ok()) return applied;
  const absl::StatusOr<v1::ImportSnapshotsResponse> made = Send(session, **reader, request);
  if (!made.ok()) return made.status();
  if (session.json()) {
    session.Write({{"version", made->snapshot().version()},
                   {"snapshot_count", head.history.snapshot_count()},
                   {"snapshot", SnapshotToJson(made->snapshot())},
                   {"branch", BranchToJson(made->branch())}});
    return absl::OkStatus();
  }
  session.out() << "version " << made->snapshot().version() << ", head of branch " << made->branch().name();
  if (head.has_history) session.out() << ", with " << head.history.snapshot_count() - 1 << " before it";
  session.out() << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddImportCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<ImportArguments>();
  CLI::App* command = app.add_subcommand("import", "Makes a branch of a file that `export` has written");
  AddPositional(*command, "FILE", arguments->file, "As `stepwell export` writes it")->required();
  command->add_option("--branch,-b", arguments->branch, "To make. Default: the name that was exported")
      ->type_name("NAME");
  command
      ->add_option("--request-id", arguments->request_id,
                   "Up to 128 bytes of your own: a repeat with the same does nothing twice")
      ->type_name("ID");
  arguments->revision.AddTo(*command);
  command->footer(
      "The versions get new numbers, and keep their methods, times, labels, pins and counts of steps; the "
      "label\n"
      "stepwell.imported_from tells the old number. The server must have the same package loaded, unless\n"
      "--revision says which revision takes the state as it is, or with --adapt as it can. What fails "
      "leaves\n"
      "nothing behind. There is no time limit unless --timeout sets one.\n"
      "\n"
      "Examples:\n"
      "  stepwell import live.safetensors\n"
      "  stepwell import live.safetensors --branch copy --request-id move-1\n"
      "  stepwell import live.safetensors --branch next --revision newest --adapt");
  Choose(*command, chosen, [arguments](Session& session) { return Import(session, *arguments); });
}

}  // namespace stepwell::cli
