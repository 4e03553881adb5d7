#ifndef STEPWELL_CLIENT_CLI_MUTATION_H_
#define STEPWELL_CLIENT_CLI_MUTATION_H_

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/syntax.h"

namespace stepwell::cli {

// What may be said of every command that makes a version.
struct MutationArguments {
  std::string expected_head;
  std::vector<std::string> labels;
  std::string request_id;

  void AddTo(CLI::App& command) {
    AddRepeated(command, "--label,-l", labels, "Of the new snapshot; may be repeated")
        ->type_name("KEY=VALUE");
    command
        .add_option("--request-id", request_id,
                    "Up to 128 bytes of your own: a repeat with the same does nothing twice")
        ->type_name("ID");
  }
  void AddExpectedHeadTo(CLI::App& command) {
    command.add_option("--expected-head", expected_head, "Only if the branch's head is this version")
        ->type_name("VERSION");
  }

  // BadInput says which option is wrong.
  template <typename Request>
  absl::Status ApplyTo(Request& request) const {
    absl::StatusOr<client::Labels> parsed = ParseLabels(labels);
    if (!parsed.ok()) return parsed.status();
    request.labels = *std::move(parsed);
    request.request_id = request_id;
    return absl::OkStatus();
  }
  template <typename Request>
  absl::Status ApplyExpectedHeadTo(Request& request) const {
    if (expected_head.empty()) return absl::OkStatus();
    const absl::StatusOr<client::Version> head = ParseVersion(expected_head);
    if (!head.ok()) return BadInputAt("--expected-head", head.status());
    request.expected_head = *head;
    return absl::OkStatus();
  }
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_MUTATION_H_
