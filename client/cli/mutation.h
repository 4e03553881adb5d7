#ifndef STEPWELL_CLIENT_CLI_MUTATION_H_
#define STEPWELL_CLIENT_CLI_MUTATION_H_

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/error.h"
#include "client/cli/syntax.h"

// What several commands say of what they make or change: each adds its option to a command, and takes what
// was given over into a request. BadInput says which option is wrong.
namespace stepwell::cli {

// --expected-head.
struct ExpectedHeadArgument {
  std::string text;

  void AddTo(CLI::App& command) {
    command.add_option("--expected-head", text, "Only if the branch's head is this version")
        ->type_name("VERSION");
  }
  template <typename Request>
  absl::Status ApplyTo(Request& request) const {
    if (text.empty()) return absl::OkStatus();
    const absl::StatusOr<client::Version> head = ParseVersion(text);
    if (!head.ok()) return BadInputAt("--expected-head", head.status());
    request.expected_head = *head;
    return absl::OkStatus();
  }
};

// --revision and --adapt.
struct RevisionArguments {
  std::string text;
  bool adapt = false;

  void AddTo(CLI::App& command) {
    command
        .add_option("--revision", text,
                    "Of the model, to step with: newest, or a number. Default: the one that made the state")
        ->type_name("N");
    command.add_flag(
        "--adapt", adapt,
        "Make a state of another revision fit: new indices get their initial values, and those that "
        "the revision does not have are left out");
  }
  absl::StatusOr<client::RevisionChoice> Choice() const {
    if (text.empty()) return client::SameRevision();
    if (text == "newest") return client::NewestRevision();
    int64_t number = 0;
    if (absl::SimpleAtoi(text, &number) && number > 0) return number;
    return BadInput(absl::StrCat("--revision \"", text, "\"; expected newest, or a number such as 2"));
  }
  template <typename Request>
  absl::Status ApplyTo(Request& request) const {
    const absl::StatusOr<client::RevisionChoice> choice = Choice();
    if (!choice.ok()) return choice.status();
    request.revision = *choice;
    request.adapt_state = adapt;
    return absl::OkStatus();
  }
};

// --keep-last, --keep-every and --max-age.
struct RetentionArguments {
  std::optional<int64_t> keep_last;
  std::optional<int64_t> keep_every;
  std::string max_age;

  void AddTo(CLI::App& command) {
    command.add_option("--keep-last", keep_last, "Keep the newest so many versions")->type_name("N");
    command.add_option("--keep-every", keep_every, "Keep those whose number of steps is a multiple of this")
        ->type_name("K");
    command.add_option("--max-age", max_age, "Keep those that were made less long ago, such as 24h")
        ->type_name("TIME");
  }
  bool empty() const { return !keep_last.has_value() && !keep_every.has_value() && max_age.empty(); }
  absl::StatusOr<client::RetentionPolicy> Policy() const {
    client::RetentionPolicy policy{.keep_last = keep_last, .keep_every = keep_every};
    if (!max_age.empty()) {
      const absl::StatusOr<absl::Duration> age = ParseDuration(max_age);
      if (!age.ok()) return BadInputAt("--max-age", age.status());
      policy.max_age = *age;
    }
    return policy;
  }
};

// --label.
struct LabelArguments {
  std::string help;
  std::vector<std::string> texts = {};

  void AddTo(CLI::App& command) { AddRepeated(command, "--label,-l", texts, help)->type_name("KEY=VALUE"); }
  template <typename Request>
  absl::Status ApplyTo(Request& request) const {
    absl::StatusOr<client::Labels> labels = ParseLabels(texts);
    if (!labels.ok()) return labels.status();
    request.labels = *std::move(labels);
    return absl::OkStatus();
  }
};

// --label and --request-id, of every command that makes a version.
struct MutationArguments {
  LabelArguments labels{"Of the new snapshot; may be repeated"};
  std::string request_id;

  void AddTo(CLI::App& command) {
    labels.AddTo(command);
    command
        .add_option("--request-id", request_id,
                    "Up to 128 bytes of your own: a repeat with the same does nothing twice")
        ->type_name("ID");
  }
  template <typename Request>
  absl::Status ApplyTo(Request& request) const {
    request.request_id = request_id;
    return labels.ApplyTo(request);
  }
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_MUTATION_H_
