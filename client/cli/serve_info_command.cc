#include <CLI/CLI.hpp>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/commands.h"
#include "client/cli/probe/probe.h"
#include "client/cli/table.h"
#include "grpcpp/create_channel.h"

namespace stepwell::cli {
namespace {

constexpr int kPings = 10;

absl::Status ServeInfo(Session& session) {
  const absl::Time deadline = absl::Now() + session.options().timeout;
  const auto channel = grpc::CreateChannel(session.options().server, grpc::InsecureChannelCredentials());
  const absl::StatusOr<Health> health = CheckHealth(channel, kPings, deadline);
  if (!health.ok()) return health.status();
  const absl::StatusOr<std::vector<std::string>> services = ListServices(channel, deadline);
  if (!services.ok()) return services.status();
  const absl::StatusOr<std::vector<v1::ModelInfo>> models = session.client().ListModels();
  if (!models.ok()) return models.status();
  std::map<std::string, int> models_by_state;
  for (const v1::ModelInfo& model : *models) ++models_by_state[v1::ModelInfo::State_Name(model.state())];

  const absl::Duration fastest = health->round_trips.front();
  const absl::Duration median = health->round_trips[health->round_trips.size() / 2];
  if (session.json()) {
    session.Write({{"address", session.options().server},
                   {"health", health->status},
                   {"services", *services},
                   {"models", models_by_state},
                   {"ping_seconds",
                    {{"min", absl::ToDoubleSeconds(fastest)}, {"median", absl::ToDoubleSeconds(median)}}}});
    return absl::OkStatus();
  }
  Table table;
  table.Add({"address", session.options().server});
  table.Add({"health", health->status});
  table.Add(
      {"ping", absl::StrCat(absl::FormatDuration(absl::Trunc(median, absl::Microseconds(1))), " median, ",
                            absl::FormatDuration(absl::Trunc(fastest, absl::Microseconds(1))), " fastest of ",
                            kPings)});
  table.Add({"models", models_by_state.empty()
                           ? "none"
                           : absl::StrJoin(models_by_state, ", ", [](std::string* out, const auto& state) {
                               absl::StrAppend(out, state.second, " ", state.first);
                             })});
  table.Add({"services", absl::StrJoin(*services, ", ")});
  table.Write(session.out());
  return absl::OkStatus();
}

}  // namespace

void AddServeInfoCommand(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("serve-info", "Tells whether the server answers, how fast, and what it serves");
  command->footer(
      "Examples:\n"
      "  stepwell serve-info\n"
      "  stepwell --server unix:/run/stepwell.sock serve-info --json");
  Choose(*command, chosen, ServeInfo);
}

}  // namespace stepwell::cli
