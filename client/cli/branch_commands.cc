#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/mutation.h"
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
  ExpectedHeadArgument expected_head;
  LabelArguments labels{"Of the branch; may be repeated"};
  RetentionArguments retention;
  bool keeps_all = false;
  bool as_model = false;
};

absl::Status Create(Session& session, const BranchArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  client::CreateBranchRequest request{.name = arguments.name, .state = *state};
  const absl::Status labelled = arguments.labels.ApplyTo(request);
  if (!labelled.ok()) return labelled;
  if (!arguments.time.empty()) {
    const absl::StatusOr<absl::Time> time = ParseTime(arguments.time, absl::Now());
    if (!time.ok()) return BadInputAt("--expires", time.status());
    request.expire_time = *time;
  }
  if (!arguments.retention.empty()) {
    const absl::StatusOr<client::RetentionPolicy> policy = arguments.retention.Policy();
    if (!policy.ok()) return policy.status();
    request.retention = *policy;
  }
  return ShowBranch(session, session.client().CreateBranch(request));
}

absl::Status Retain(Session& session, const BranchArguments& arguments) {
  if (int{!arguments.retention.empty()} + int{arguments.keeps_all} + int{arguments.as_model} != 1) {
    return BadInput(
        "expected some of --keep-last, --keep-every and --max-age, or --keep-all, or --as-model alone");
  }
  client::UpdateBranchRequest request{.name = arguments.name};
  request.retention.emplace();
  if (!arguments.as_model) {
    const absl::StatusOr<client::RetentionPolicy> policy = arguments.retention.Policy();
    if (!policy.ok()) return policy.status();
    *request.retention = *policy;
  }
  return ShowBranch(session, session.client().UpdateBranch(request));
}

absl::Status Move(Session& session, const BranchArguments& arguments) {
  const absl::StatusOr<client::StateRef> state = ParseStateRef(arguments.state);
  if (!state.ok()) return state.status();
  client::UpdateBranchRequest request{.name = arguments.name, .head = *state};
  const absl::Status expected = arguments.expected_head.ApplyTo(request);
  if (!expected.ok()) return expected;
  return ShowBranch(session, session.client().UpdateBranch(request));
}

absl::Status Expire(Session& session, const BranchArguments& arguments) {
  const absl::StatusOr<absl::Time> time = ParseTime(arguments.time, absl::Now());
  if (!time.ok()) return time.status();
  return ShowBranch(session, session.client().UpdateBranch({.name = arguments.name, .expire_time = *time}));
}

absl::Status Delete(Session& session, const BranchArguments& arguments) {
  client::DeleteBranchRequest request{.name = arguments.name};
  const absl::Status expected = arguments.expected_head.ApplyTo(request);
  if (!expected.ok()) return expected;
  const absl::Status deleted = session.client().DeleteBranch(request);
  if (!deleted.ok()) return deleted;
  if (session.json()) {
    session.Write({{"deleted", arguments.name}});
  } else {
    session.out() << "deleted branch " << arguments.name << "\n";
  }
  return absl::OkStatus();
}

absl::Status List(Session& session, const BranchArguments& arguments) {
  Json json = Json::array();
  Table table({"BRANCH", "HEAD", "MODEL", "MOVED", "EXPIRES", "LABELS"});
  const absl::Status listed = session.ForEachBranch(arguments.prefix, [&](const v1::Branch& branch) {
    if (session.json()) {
      json.push_back(BranchToJson(branch));
      return;
    }
    table.Add({branch.name(), absl::StrCat(branch.head()), branch.model(), TimeToText(branch.update_time()),
               branch.has_expire_time() ? TimeToText(branch.expire_time()) : "never",
               LabelsToText(branch.labels())});
  });
  if (!listed.ok()) return listed;
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
    Choose(command, chosen,
           [arguments, function](Session& session) { return function(session, *arguments); });
  };
  const auto add_name = [arguments](CLI::App& command, const char* help) {
    AddPositional(command, "NAME", arguments->name, help)->required();
  };
  const auto add_state = [arguments](CLI::App& command) {
    AddPositional(command, "STATE", arguments->state, kStateHelp)->required();
  };
  const auto add_creation = [arguments](CLI::App& command) {
    arguments->labels.AddTo(command);
    command.add_option("--expires", arguments->time, "When the name is forgotten, such as 2h. Default never")
        ->type_name("TIME");
    arguments->retention.AddTo(command);
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
      "  stepwell branch create trial live --label why=test --expires 2h\n"
      "  stepwell branch create long live --keep-last 1000 --keep-every 100");
  run(*create, Create);

  CLI::App* get = branch->add_subcommand("get", "Shows a branch: its head, model, labels");
  add_name(*get, kOldName);
  get->footer("Example:\n  stepwell branch get live");
  run(*get, [](Session& session, const BranchArguments& given) {
    return ShowBranch(session, session.client().GetBranch(given.name));
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
  arguments->expected_head.AddTo(*move);
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

  CLI::App* retain =
      branch->add_subcommand("retain", "Says what is kept of a branch; the rest is dropped in time");
  add_name(*retain, kOldName);
  arguments->retention.AddTo(*retain);
  retain->add_flag("--keep-all", arguments->keeps_all, "Drop nothing, whatever its model says");
  retain->add_flag("--as-model", arguments->as_model, "What its model says, or else the server");
  retain->footer(
      "A version is kept when one of the rules keeps it, for this branch or another that it is an ancestor "
      "of.\n"
      "Heads, roots, pinned and labelled versions are always kept.\n"
      "\n"
      "Examples:\n"
      "  stepwell branch retain live --keep-last 1000 --keep-every 100 --max-age 24h\n"
      "  stepwell branch retain live --keep-all\n"
      "  stepwell branch retain live --as-model");
  run(*retain, Retain);

  CLI::App* drop = branch->add_subcommand("delete", "Forgets a branch's name; its states stay");
  add_name(*drop, kOldName);
  arguments->expected_head.AddTo(*drop);
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
