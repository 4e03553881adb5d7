#include "client/src/stream_history.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace stepwell::client::internal {
namespace {

// Of other calls, on top of what the stream may have made itself.
constexpr size_t kMaxForeign = 1000;

constexpr size_t kMaxPage = 1000;  // What a server puts into one.

std::string RandomId() {
  absl::BitGen random;
  return absl::StrCat(absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16));
}

}  // namespace

StreamHistory::StreamHistory(Client* client, std::string branch, const CallOptions& call)
    : client_(client), branch_(std::move(branch)), call_(call), id_(RandomId()) {}

std::string StreamHistory::LabelOf(int64_t number) const { return absl::StrCat(id_, "/", number); }

std::optional<int64_t> StreamHistory::NumberOf(const v1::Snapshot& snapshot) const {
  const auto label = snapshot.labels().find(kLabel);
  if (label == snapshot.labels().end()) return std::nullopt;
  absl::string_view text = label->second;
  int64_t number = 0;
  if (!absl::ConsumePrefix(&text, id_) || !absl::ConsumePrefix(&text, "/") ||
      !absl::SimpleAtoi(text, &number)) {
    return std::nullopt;
  }
  return number;
}

absl::StatusOr<StreamHistory::Found> StreamHistory::Read(Version last, size_t limit) {
  const absl::StatusOr<v1::Branch> branch = client_->GetBranch(branch_, call_);
  if (!branch.ok()) return branch.status();
  Found found;
  size_t left = limit + kMaxForeign;
  Version at{branch->head()};
  ListSnapshotsRequest page{.of = StateRef(at)};
  while (at != last) {
    if (left == 0) return Found{{}, true};
    page.page_size = static_cast<int>(std::min(left, kMaxPage));
    absl::StatusOr<v1::ListSnapshotsResponse> ancestors = client_->ListSnapshots(page, call_);
    if (!ancestors.ok()) return ancestors.status();
    for (v1::Snapshot& snapshot : *ancestors->mutable_snapshots()) {
      if (at == last) break;
      if (!snapshot.has_parent()) return Found{{}, true};
      --left;
      at = Version{snapshot.parent()};
      if (const std::optional<int64_t> number = NumberOf(snapshot); number.has_value()) {
        found.committed.push_back({*number, std::move(snapshot)});
      } else {
        found.moved_by_others = true;
      }
    }
    page.page_token = ancestors->next_page_token();
    if (at != last && page.page_token.empty()) return Found{{}, true};
  }
  std::reverse(found.committed.begin(), found.committed.end());
  return found;
}

absl::StatusOr<StepResult> StreamHistory::Compute(const StreamStep& step, Version base,
                                                  const RevisionChoice& revision) {
  return client_->Step({.state = base,
                        .method = step.method,
                        .inputs = step.inputs,
                        .output_names = step.output_names,
                        .fetch = step.fetch,
                        .keep = false,
                        .check_finite = step.check_finite,
                        .revision = revision,
                        .adapt_state = step.adapt_state},
                       call_);
}

bool StreamHistory::IsUnknown(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

absl::StatusOr<StepResult> StreamHistory::Replay(const StreamStep& step, const v1::Snapshot& committed) {
  absl::StatusOr<StepResult> result = Compute(step, Version{committed.parent()}, committed.revision());
  if (result.ok()) {
    result->version = Version{committed.version()};
    return result;
  }
  if (IsUnknown(result.status())) return result;
  return absl::DataLossError(
      absl::StrCat("the step made version ", committed.version(),
                   ", but its outputs were lost with the connection and cannot be computed again: ",
                   result.status().message()));
}

absl::StatusOr<StepResult> StreamHistory::ReplayUncommitted(const StreamStep& step,
                                                            const v1::Snapshot& next) {
  absl::StatusOr<StepResult> result = Compute(step, Version{next.parent()}, step.revision);
  if (!result.ok() || !step.keep) return result;
  const absl::StatusOr<bool> pure = IsPure({next.model(), next.revision()}, step.method);
  if (!pure.ok()) return pure.status();
  if (*pure) return result;
  return absl::UnknownError(
      "the step failed, and its error was lost with the connection; it made no version, and the steps after "
      "it went on without it");
}

absl::StatusOr<bool> StreamHistory::IsPure(const ModelRef& model, const std::string& method) {
  const absl::StatusOr<v1::ModelInfo> info = client_->GetModel(model, call_);
  if (!info.ok()) return info.status();
  const auto found = std::find_if(info->methods().begin(), info->methods().end(),
                                  [&method](const v1::MethodInfo& one) { return one.name() == method; });
  return found != info->methods().end() && found->writes().empty();
}

}  // namespace stepwell::client::internal
