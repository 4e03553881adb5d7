#include "stepwell/engine/errors.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "stepwell/base/error_info.h"

namespace stepwell {
namespace {

constexpr size_t kMaxBranchName = 128;
constexpr size_t kMaxLabels = 64;
constexpr size_t kMaxLabelKey = 128;     // Bytes.
constexpr size_t kMaxLabelValue = 1024;  // Bytes.

std::string List(absl::Span<const TensorSpec> specs) {
  if (specs.empty()) return "none";
  return absl::StrJoin(specs, ", ", [](std::string* out, const TensorSpec& spec) {
    absl::StrAppend(out, spec.name, " ", spec.ToString());
  });
}

}  // namespace

absl::Status QueueFull(absl::string_view queue, size_t limit) {
  return WithErrorInfo(absl::ResourceExhaustedError(absl::StrCat(
                           queue, " is full: ", limit, " calls wait already; try again when some are done")),
                       "QUEUE_FULL", {{"limit", absl::StrCat(limit)}});
}

absl::Status StateSpecMismatch(const Model& model, int64_t made_by,
                               absl::Span<const StateDifference> differences) {
  const auto add = [](std::string* out, const StateDifference& difference) { out->append(difference.what); };
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat(
          "a state that revision ", made_by, " of model \"", model.name(), "\" made does not fit revision ",
          model.revision(), ":\n  ", absl::StrJoin(differences, "\n  ", add))),
      "STATE_SPEC_MISMATCH", {{"model", model.name()}, {"index", differences.front().index}});
}

absl::Status ModelDiffers(absl::string_view model, int64_t revision, absl::string_view digest,
                          absl::Span<const std::shared_ptr<const Model>> loaded) {
  const auto add = [](std::string* out, const std::shared_ptr<const Model>& one) {
    absl::StrAppend(out, "revision ", one->revision(), " with digest ", one->digest());
  };
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat(
          "model \"", model, "\" has here ",
          loaded.empty() ? "nothing loaded" : absl::StrJoin(loaded, ", ", add),
          "; expected the package of digest ", digest, ", which made the state as revision ", revision,
          ": load that package here, or say which revision is to take the state, whose state spec it must "
          "fit")),
      "MODEL_DIFFERS", {{"model", std::string(model)}, {"digest", std::string(digest)}});
}

absl::Status OtherModel(absl::string_view branch, absl::string_view model, Version version,
                        absl::string_view other) {
  return WithErrorInfo(absl::FailedPreconditionError(absl::StrCat(
                           "version ", version.value(), " is a state of model \"", other,
                           "\"; expected one of model \"", model, "\", as branch \"", branch, "\" is")),
                       "OTHER_MODEL", {{"branch", std::string(branch)}, {"model", std::string(model)}});
}

absl::Status ReplyTooLarge(int64_t bytes, int64_t limit, absl::string_view advice) {
  return WithErrorInfo(
      absl::ResourceExhaustedError(absl::StrCat("the reply would hold ", bytes,
                                                " bytes of arrays; expected at most ", limit, "; ", advice)),
      "REPLY_TOO_LARGE", {{"bytes", absl::StrCat(bytes)}, {"limit", absl::StrCat(limit)}});
}

absl::Status BatchNotCommitted(size_t failed, const absl::Status& why) {
  return WithErrorInfo(absl::AbortedError(absl::StrCat(
                           "step ", failed, " of the batch failed, and all of it was to be committed or ",
                           "nothing: ", why.message())),
                       "BATCH_NOT_COMMITTED", {{"step", absl::StrCat(failed)}});
}

absl::Status OutputsNotStackable(absl::string_view output, const Shape& first, const Shape& now) {
  return WithErrorInfo(absl::FailedPreconditionError(
                           absl::StrCat("output \"", output, "\" has shape ", now.ToString(), "; expected ",
                                        first.ToString(), ", as in the first step: outputs are stacked")),
                       "OUTPUTS_NOT_STACKABLE", {{"output", std::string(output)}});
}

absl::Status NonFiniteState(absl::string_view method, absl::string_view index, double value,
                            absl::Span<const int64_t> coordinates) {
  const char* const name = std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  const std::string position = absl::StrCat("[", absl::StrJoin(coordinates, ", "), "]");
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("method \"", method, "\" wrote ", name, " at ", position,
                                                 " of index \"", index, "\"; expected finite numbers")),
      "NON_FINITE", {{"index", std::string(index)}, {"position", position}});
}

absl::Status MovesForgotten(Version version) {
  return WithErrorInfo(
      absl::OutOfRangeError(absl::StrCat(
          "no move to version ", version.value(),
          " is among those that the server remembers of what is to be watched; expected one that is, a "
          "version that is the head of the one branch to be watched, or none: then read the heads, and watch "
          "from now on")),
      "MOVES_FORGOTTEN", {{"version", absl::StrCat(version.value())}});
}

absl::Status MovesForgotten(int64_t position, int64_t oldest, int64_t newest) {
  return WithErrorInfo(
      absl::OutOfRangeError(absl::StrCat("the server does not remember what came after position ", position,
                                         "; expected one from ", oldest, " to ", newest,
                                         ", or none: then read the heads, and watch from now on")),
      "MOVES_FORGOTTEN",
      {{"newest", absl::StrCat(newest)},
       {"oldest", absl::StrCat(oldest)},
       {"position", absl::StrCat(position)}});
}

absl::Status WatchLimit(int64_t limit) {
  return WithErrorInfo(
      absl::ResourceExhaustedError(
          absl::StrCat(limit,
                       " watches are open already; end one of them, or watch several branches by a prefix. "
                       "max_watches in the server's configuration raises the limit")),
      "WATCH_LIMIT", {{"limit", absl::StrCat(limit)}});
}

absl::Status UnknownInput(absl::string_view method, absl::string_view input,
                          absl::Span<const TensorSpec> inputs) {
  return absl::InvalidArgumentError(absl::StrCat("method \"", method, "\" has no input \"",
                                                 absl::CHexEscape(input), "\"; expected ", List(inputs)));
}

absl::Status MissingInput(absl::string_view method, absl::string_view input,
                          absl::Span<const TensorSpec> inputs) {
  return absl::InvalidArgumentError(
      absl::StrCat("input \"", input, "\" of method \"", method, "\" is missing; expected ", List(inputs)));
}

absl::Status DuplicateInput(absl::string_view method, absl::string_view input) {
  return absl::InvalidArgumentError(
      absl::StrCat("input \"", input, "\" of method \"", method, "\" is given twice; expected once"));
}

absl::Status UnknownOutput(absl::string_view method, absl::string_view output,
                           absl::Span<const TensorSpec> outputs) {
  return absl::InvalidArgumentError(absl::StrCat("method \"", method, "\" has no output \"",
                                                 absl::CHexEscape(output), "\"; expected ", List(outputs)));
}

absl::Status CheckBranchName(absl::string_view name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("._-/:@").find(c) != absl::string_view::npos;
  };
  if (!name.empty() && name.size() <= kMaxBranchName &&
      absl::ascii_isalnum(static_cast<unsigned char>(name[0])) &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("branch name \"", absl::CHexEscape(name.substr(0, kMaxBranchName)), "\" of ", name.size(),
                   " bytes; expected 1 to ", kMaxBranchName,
                   " letters, digits and \"._-/:@\", the first a letter or digit"));
}

absl::Status CheckLabels(const Labels& labels) {
  if (labels.size() > kMaxLabels) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", labels.size(), " labels; expected at most ", kMaxLabels));
  }
  for (const auto& [key, value] : labels) {
    if (key.empty() || key.size() > kMaxLabelKey) {
      return absl::InvalidArgumentError(
          absl::StrCat("label \"", absl::CHexEscape(key.substr(0, kMaxLabelKey)), "\": the key has ",
                       key.size(), " bytes; expected 1 to ", kMaxLabelKey));
    }
    if (value.size() > kMaxLabelValue) {
      return absl::InvalidArgumentError(absl::StrCat("label \"", absl::CHexEscape(key), "\": the value has ",
                                                     value.size(), " bytes; expected at most ",
                                                     kMaxLabelValue));
    }
  }
  return absl::OkStatus();
}

}  // namespace stepwell
