#include "stepwell/engine/batch_request.h"

#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace stepwell {
namespace {

constexpr size_t kMaxBatchSteps = 100'000;

}  // namespace

absl::Status CheckBatch(const BatchStepRequest& request) {
  if (request.steps.empty() || request.steps.size() > kMaxBatchSteps) {
    return absl::InvalidArgumentError(
        absl::StrCat("the batch has ", request.steps.size(), " steps; expected 1 to ", kMaxBatchSteps));
  }
  absl::flat_hash_map<absl::string_view, size_t> branches;
  for (size_t i = 0; i < request.steps.size(); ++i) {
    if (!request.steps[i].request_id.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("step ", i, " of the batch has a request_id; expected one for the whole batch"));
    }
    const auto* branch = std::get_if<BranchName>(&request.steps[i].state);
    if (!request.all_or_nothing || branch == nullptr) continue;
    const auto [first, is_new] = branches.try_emplace(branch->value, i);
    if (is_new) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "steps ", first->second, " and ", i, " of the batch are both on branch \"",
        absl::CHexEscape(branch->value),
        "\"; expected each branch once, since all steps are committed at the same time; Scan makes many "
        "steps of one branch"));
  }
  return absl::OkStatus();
}

void ShareOut(BatchStepRequest& request) {
  const int64_t share = request.max_reply_bytes / static_cast<int64_t>(request.steps.size());
  for (StepRequest& step : request.steps) {
    step.max_reply_bytes = share;
    step.durability = request.durability;
    step.call = request.call;
  }
}

std::optional<RequestKey> KeyOfStep(const std::optional<RequestKey>& key, size_t at) {
  if (!key.has_value()) return std::nullopt;
  // No caller's id has this character and a number after it by chance.
  return RequestKey{absl::StrCat(key->id, "\x1f", at), key->digest};
}

}  // namespace stepwell
