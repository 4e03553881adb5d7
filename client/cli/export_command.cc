#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/progress.h"
#include "client/cli/state_file.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct ExportArguments {
  std::string state;
  std::string file;
  bool history = false;
};

// The state as it is now: what is read in two passes is one version and its ancestors.
absl::StatusOr<client::Version> FindVersion(Session& session, const client::StateRef& state) {
  const absl::StatusOr<v1::Snapshot> snapshot = session.client().GetSnapshot(state);
  if (!snapshot.ok()) return snapshot.status();
  return client::Version{snapshot->version()};
}

// The first pass: what there is, from which follows where each array stands in the file.
absl::StatusOr<std::unique_ptr<StateFileWriter>> ReadHeaders(Session& session,
                                                             client::ExportSnapshotsRequest request,
                                                             const ExportArguments& arguments,
                                                             const client::StateRef& state) {
  request.omit_data = true;
  std::unique_ptr<StateFileWriter> writer;
  const absl::Status read = session.client().ExportSnapshots(
      request,
      [&](const v1::ExportSnapshotsResponse& message) {
        if (writer != nullptr) return writer->AddSnapshot(message.snapshot());
        StateFileHead head{.history = message.header(), .has_history = arguments.history};
        if (const auto* branch = std::get_if<client::BranchName>(&state)) head.branch = branch->value;
        writer = std::make_unique<StateFileWriter>(arguments.file, std::move(head));
        return absl::OkStatus();
      },
      session.WithoutHaste());
  if (!read.ok()) return read;
  if (writer == nullptr) return absl::InternalError("the server told nothing of the state");
  return writer;
}

// The second pass: the same, unless something was dropped meanwhile, which would not fit what the header
// says.
absl::Status CopyArrays(Session& session, const client::ExportSnapshotsRequest& request,
                        StateFileWriter& writer) {
  ProgressBar bar(isatty(STDERR_FILENO) != 0 ? &std::cerr : nullptr);
  int64_t received = 0;
  return session.client().ExportSnapshots(
      request,
      [&](const v1::ExportSnapshotsResponse& message) {
        if (message.has_header() && message.header().snapshot_count() != writer.snapshot_count()) {
          return absl::AbortedError(absl::StrCat(
              "versions were dropped while they were exported: ", message.header().snapshot_count(),
              " are left of ", writer.snapshot_count(),
              "; export again, with all of them kept for the while: `stepwell branch retain`"));
        }
        received += static_cast<int64_t>(message.data().size());
        bar.Update(received, writer.data_bytes());
        return writer.AddData(message.data());
      },
      session.WithoutHaste());
}

absl::Status Export(Session& session, const ExportArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  const absl::StatusOr<client::Version> version = FindVersion(session, *state);
  if (!version.ok()) return version.status();
  const client::ExportSnapshotsRequest request{.state = *version, .history = arguments.history};
  const auto writer = ReadHeaders(session, request, arguments, *state);
  if (!writer.ok()) return writer.status();
  absl::Status written = (*writer)->BeginData();
  if (written.ok()) written = CopyArrays(session, request, **writer);
  if (written.ok()) written = (*writer)->Finish();
  if (!written.ok()) return written;
  if (session.json()) {
    session.Write({{"version", version->value},
                   {"snapshot_count", (*writer)->snapshot_count()},
                   {"array_bytes", (*writer)->data_bytes()},
                   {"file", arguments.file}});
    return absl::OkStatus();
  }
  session.out() << "version " << version->value;
  if (arguments.history) session.out() << " with " << (*writer)->snapshot_count() - 1 << " before it";
  session.out() << ", " << BytesToText((*writer)->data_bytes()) << " of arrays, to " << arguments.file
                << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddExportCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command =
      app.add_subcommand("export", "Writes a state to a file, for `import` on another server");
  AddPositional(*command, "STATE", arguments->state, kStateHelp)->required();
  AddPositional(*command, "FILE", arguments->file, "To write; it is there once it is whole")->required();
  command->add_flag("--history", arguments->history, "With all versions that it comes from, each array once");
  command->footer(
      "The file is a safetensors file: any reader of those has the arrays by their indices, and what is "
      "known of the\n"
      "state among the metadata. There is no time limit unless --timeout sets one.\n"
      "\n"
      "Examples:\n"
      "  stepwell export live live.safetensors\n"
      "  stepwell export live live.safetensors --history\n"
      "  stepwell export 42 then.safetensors");
  Choose(*command, chosen, [arguments](Session& session) { return Export(session, *arguments); });
}

}  // namespace stepwell::cli
