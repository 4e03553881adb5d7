#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/interrupt.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {
namespace {

struct WatchArguments {
  std::string name;
  std::string prefix;
  std::string after;
  std::string after_position;
  std::string count;
};

// A number that is not negative. `option` names it in errors.
absl::StatusOr<int64_t> ParseNumber(absl::string_view option, absl::string_view text, int64_t least) {
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &number) && number >= least) return number;
  return BadInput(absl::StrCat(option, " \"", text, "\"; expected a number, ", least, " or more"));
}

absl::StatusOr<client::WatchBranchesRequest> MakeRequest(const WatchArguments& arguments) {
  client::WatchBranchesRequest request{.branches = client::BranchPrefix{arguments.prefix}};
  if (!arguments.name.empty()) request.branches = client::BranchName{arguments.name};
  if (!arguments.after.empty()) {
    const absl::StatusOr<client::Version> version = ParseVersion(arguments.after);
    if (!version.ok()) return BadInputAt("--after", version.status());
    request.after = *version;
  }
  if (!arguments.after_position.empty()) {
    const absl::StatusOr<int64_t> position = ParseNumber("--after-position", arguments.after_position, 0);
    if (!position.ok()) return position.status();
    request.after = client::MovePosition{*position};
  }
  return request;
}

Json VersionOrNull(std::optional<client::Version> version) {
  return version.has_value() ? Json(version->value) : Json();
}

void Print(const Session& session, const client::BranchMove& move) {
  if (session.json()) {
    session.Write({{"branch", move.branch},
                   {"version", VersionOrNull(move.head)},
                   {"previous_head", VersionOrNull(move.previous_head)},
                   {"time", absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", move.time, absl::UTCTimeZone())},
                   {"position", move.position}});
    return;
  }
  session.out() << absl::FormatTime("%Y-%m-%d %H:%M:%S", move.time, absl::UTCTimeZone()) << "  "
                << move.branch << "  ";
  if (!move.head.has_value()) {
    session.out() << "deleted at " << move.previous_head->value;
  } else if (!move.previous_head.has_value()) {
    session.out() << "created at " << move.head->value;
  } else {
    session.out() << move.previous_head->value << " -> " << move.head->value;
  }
  session.out() << "\n";
}

void Print(const Session& session, const client::MissedMoves& missed) {
  if (session.json()) {
    session.Write(
        {{"missed", {{"after_position", missed.after_position}, {"until_position", missed.until_position}}}});
    return;
  }
  session.out() << "some moves were missed: `stepwell branch list` tells where the branches are now\n";
}

absl::Status Watch(Session& session, const WatchArguments& arguments) {
  const absl::StatusOr<client::WatchBranchesRequest> request = MakeRequest(arguments);
  if (!request.ok()) return request.status();
  std::optional<int64_t> left;
  if (!arguments.count.empty()) {
    const absl::StatusOr<int64_t> count = ParseNumber("--count", arguments.count, 1);
    if (!count.ok()) return count.status();
    left = *count;
  }
  const absl::StatusOr<std::unique_ptr<client::BranchWatch>> watch = session.client().WatchBranches(*request);
  if (!watch.ok()) return watch.status();
  const OnInterrupt interrupted([&watch] { (*watch)->Cancel(); });
  while (!left.has_value() || *left > 0) {
    const absl::StatusOr<client::BranchEvent> event = (*watch)->Next();
    if (absl::IsCancelled(event.status())) break;  // By a signal: that is how a watch ends.
    if (!event.ok()) return event.status();
    std::visit([&session](const auto& one) { Print(session, one); }, *event);
    session.out().flush();
    if (!session.out()) break;  // The caller says so.
    if (left.has_value() && std::holds_alternative<client::BranchMove>(*event)) --*left;
  }
  return absl::OkStatus();
}

}  // namespace

void AddWatchCommand(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<WatchArguments>();
  CLI::App* command = app.add_subcommand("watch", "Prints every move of branches, as it happens");
  CLI::Option* name =
      AddPositional(*command, "NAME", arguments->name, "A branch, which need not exist yet. Default: all");
  command->add_option("--prefix", arguments->prefix, "Every branch whose name starts so, also those to come")
      ->type_name("PREFIX")
      ->excludes(name);
  CLI::Option* after =
      command
          ->add_option("--after", arguments->after, "Begin after the last move to this version. Default: now")
          ->type_name("VERSION");
  command
      ->add_option("--after-position", arguments->after_position,
                   "Begin after the move that --json told with this position")
      ->type_name("POSITION")
      ->excludes(after);
  command->add_option("--count,-n", arguments->count, "End after so many moves. Default: never")
      ->type_name("COUNT");
  command->footer(
      "One line for each move: time in UTC, branch, and from which version to which. With --json, each line\n"
      "is {\"branch\", \"version\", \"previous_head\", \"time\", \"position\"}: without a version the branch "
      "was\n"
      "deleted or has expired, without a previous head it was created; and {\"missed\": …} says that the\n"
      "server forgot moves before they could be told. When the connection breaks, the watch goes on where\n"
      "it was. SIGINT (Ctrl-C) ends it.\n"
      "\n"
      "Examples:\n"
      "  stepwell watch live\n"
      "  stepwell watch --prefix ward/ --json\n"
      "  stepwell watch live --after 42 --count 1");
  Choose(*command, chosen, [arguments](Session& session) { return Watch(session, *arguments); });
}

}  // namespace stepwell::cli
