#include "client/cli/session.h"

#include <variant>

namespace stepwell::cli {

client::Client& Session::client() {
  if (client_ == nullptr) {
    client_ = client::Client::Connect({.address = options_.server, .default_timeout = options_.timeout});
  }
  return *client_;
}

void Session::Write(const Json& value) const {
  *out_ << value.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
}

absl::StatusOr<v1::ModelInfo> Session::ModelOf(const client::StateRef& state,
                                               const client::RevisionChoice& revision) {
  const absl::StatusOr<v1::Snapshot> snapshot = client().GetSnapshot(state);
  if (!snapshot.ok()) return snapshot.status();
  if (std::holds_alternative<client::NewestRevision>(revision)) return client().GetModel(snapshot->model());
  const auto* number = std::get_if<int64_t>(&revision);
  return client().GetModel({snapshot->model(), number == nullptr ? snapshot->revision() : *number});
}

absl::Status Session::ForEachBranch(const std::string& prefix,
                                    absl::FunctionRef<void(const v1::Branch&)> visit) {
  client::ListBranchesRequest request{.prefix = prefix, .page_size = kMaxPageSize};
  do {
    const absl::StatusOr<v1::ListBranchesResponse> page = client().ListBranches(request);
    if (!page.ok()) return page.status();
    for (const v1::Branch& branch : page->branches()) visit(branch);
    request.page_token = page->next_page_token();
  } while (!request.page_token.empty());
  return absl::OkStatus();
}

}  // namespace stepwell::cli
