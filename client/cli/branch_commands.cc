#include <CLI/CLI.hpp>
#include <memory>

#include "absl/time/clock.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/reply.h"
#include "client/cli/syntax.h"
#include "client/cli/table.h"

namespace stepwell::cli {
namespace {

struct BranchArguments {
  std::string name;
  std::string state;
  std::string prefix;
  std::string time;
  std::string expected_head;
  std::vector<std::string> labels;
};

absl::Status Show(Session& session, const absl::StatusOr<v1::Branch>& branch) {
  if (!branch.ok()) return branch.status();
  if (session.json()) {
    session.Write(BranchToJson(*branch));
  } else {
    WriteBranch(*branch, session.out());
  }
  return absl::OkStatus();
}

absl::Status Create(Session& session, const BranchArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  const absl::StatusOr<client::Labels> labels = ParseLabels(arguments.labels);
  if (!labels.ok()) return labels.status();
  client::CreateBranchRequest request{.name = arguments.name, .state = *state, .labels = *labels};
  if (!arguments.time.empty()) {
    const absl::StatusOr<absl::Time> time = ParseTime(arguments.time, absl::Now());
    if (!time.ok()) return BadInputAt("--expires", time.status());
    request.expire_time = *time;
  }
  return Show(session, session.client().CreateBranch(request));
}

absl::StatusOr<std::optional<client::Version>> ExpectedHead(const BranchArguments& arguments) {
  if (arguments.expected_head.empty()) return std::nullopt;
  const absl::StatusOr<client::Version> head = ParseVersion(arguments.expected_head);
  if (!head.ok()) return BadInputAt("--expected-head", head.status());
  return *head;
}

absl::Status Move(Session& session, const BranchArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  const absl::StatusOr<std::optional<client::Version>> expected_head = ExpectedHead(arguments);
  if (!expected_head.ok()) return expected_head.status();
  return Show(session, session.client().UpdateBranch(
                           {.name = arguments.name, .head = *state, .expected_head = *expected_head}));
}

absl::Status Expire(Session& session, const BranchArguments& arguments) {
  const absl::StatusOr<absl::Time> time = ParseTime(arguments.time, absl::Now());
  if (!time.ok()) return time.status();
  return Show(session, session.client().UpdateBranch({.name = arguments.name, .expire_time = *time}));
}

absl::Status Delete(Session& session, const BranchArguments& arguments) {
  const absl::StatusOr<std::optional<client::Version>> expected_head = ExpectedHead(arguments);
  if (!expected_head.ok()) return expected_head.status();
  const absl::Status deleted =
      session.client().DeleteBranch({.name = arguments.name, .expected_head = *expected_head});
  if (!deleted.ok()) return deleted;
  if (session.json()) {
    session.Write({{"deleted", arguments.name}});
  } else {
    session.out() << "deleted branch " << arguments.name << "\n";
  }
  return absl::OkStatus();
}

absl::Status List(Session& session, const BranchArguments& arguments) {
  client::ListBranchesRequest request{.prefix = arguments.prefix, .page_size = 1000};
  Json json = Json::array();
  Table table({"BRANCH", "HEAD", "MODEL", "MOVED", "EXPIRES", "LABELS"});
  do {
    const absl::StatusOr<v1::ListBranchesResponse> page = session.client().ListBranches(request);
    if (!page.ok()) return page.status();
    for (const v1::Branch& branch : page->branches()) {
      if (session.json()) {
        json.push_back(BranchToJson(branch));
        continue;
      }
      table.Add({branch.name(), absl::StrCat(branch.head()), branch.model(), TimeToText(branch.update_time()),
                 branch.has_expire_time() ? TimeToText(branch.expire_time()) : "never",
                 LabelsToText(branch.labels())});
    }
    request.page_token = page->next_page_token();
  } while (!request.page_token.empty());
  if (session.json()) {
    session.Write(json);
  } else {
    table.Write(session.out());
  }
  return absl::OkStatus();
}

}  // namespace

void AddBranchCommands(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<BranchArguments>();
  const auto run = [arguments, &chosen](CLI::App& command,
                                        absl::Status (*function)(Session&, const BranchArguments&)) {
    command.callback([arguments, &chosen, function] {
      chosen = [arguments, function](Session& session) { return function(session, *arguments); };
    });
  };
  const auto add_name = [arguments](CLI::App& command, const char* help) {
    AddPositional(command, "NAME", arguments->name, help)->required();
  };
  const auto add_state = [arguments](CLI::App& command) {
    AddPositional(command, "STATE", arguments->state, kStateHelp)->required();
  };
  const auto add_expected_head = [arguments](CLI::App& command) {
    command.add_option("--expected-head", arguments->expected_head, "Only if the head is this version")
        ->type_name("VERSION");
  };
  const auto add_creation = [arguments](CLI::App& command) {
    AddRepeated(command, "--label,-l", arguments->labels, "Of the branch; may be repeated")
        ->type_name("KEY=VALUE");
    command.add_option("--expires", arguments->time, "When the name is forgotten, such as 2h. Default never")
        ->type_name("TIME");
  };
  constexpr char kNewName[] = "Letters, digits and ._-/:@, the first a letter or digit";
  constexpr char kOldName[] = "Its name, as it is: without an @ before it";

  CLI::App* branch = app.add_subcommand("branch", "Makes, lists, moves and deletes branches");
  branch->require_subcommand(1);
  branch->footer(
      "Examples:\n"
      "  stepwell branch create trial live\n"
      "  stepwell branch list\n"
      "  stepwell branch move live trial");

  CLI::App* create = branch->add_subcommand("create", "Names a state; a fork costs no copy");
  add_name(*create, kNewName);
  add_state(*create);
  add_creation(*create);
  create->footer(
      "Examples:\n"
      "  stepwell branch create live 1\n"
      "  stepwell branch create trial live --label why=test --expires 2h");
  run(*create, Create);

  CLI::App* get = branch->add_subcommand("get", "Shows a branch: its head, model, labels");
  add_name(*get, kOldName);
  get->footer("Example:\n  stepwell branch get live");
  run(*get, [](Session& session, const BranchArguments& given) {
    return Show(session, session.client().GetBranch(given.name));
  });

  CLI::App* list = branch->add_subcommand("list", "Lists branches, by name");
  AddPositional(*list, "PREFIX", arguments->prefix, "Only names that start so");
  list->footer(
      "Examples:\n"
      "  stepwell branch list\n"
      "  stepwell branch list trial/ --json");
  run(*list, List);

  CLI::App* move = branch->add_subcommand("move", "Moves a branch's head to another state of its model");
  add_name(*move, kOldName);
  add_state(*move);
  add_expected_head(*move);
  move->footer(
      "It waits for the steps that are queued on the branch.\n"
      "\n"
      "Examples:\n"
      "  stepwell branch move live 42\n"
      "  stepwell branch move live trial --expected-head 40");
  run(*move, Move);

  CLI::App* expire = branch->add_subcommand("expire", "Says when a branch's name is forgotten");
  add_name(*expire, kOldName);
  AddPositional(*expire, "TIME", arguments->time, "Such as 2h, 2026-01-31, 2026-01-31T12:00:00Z or never")
      ->required();
  expire->footer(
      "Examples:\n"
      "  stepwell branch expire trial 2h\n"
      "  stepwell branch expire trial never");
  run(*expire, Expire);

  CLI::App* drop = branch->add_subcommand("delete", "Forgets a branch's name; its states stay");
  add_name(*drop, kOldName);
  add_expected_head(*drop);
  drop->footer("Example:\n  stepwell branch delete trial");
  run(*drop, Delete);

  CLI::App* fork =
      app.add_subcommand("fork", "Gives a state a branch of its own: branch create, said shorter");
  add_state(*fork);
  add_name(*fork, kNewName);
  add_creation(*fork);
  fork->footer(
      "The new branch starts where the state is, copies nothing, and goes its own way.\n"
      "\n"
      "Examples:\n"
      "  stepwell fork live trial\n"
      "  stepwell fork 42 what-if --expires 1h");
  run(*fork, Create);
}

}  // namespace stepwell::cli
