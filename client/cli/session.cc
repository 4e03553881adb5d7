#include "client/cli/session.h"

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

absl::StatusOr<v1::ModelInfo> Session::ModelOf(const client::StateRef& state) {
  const absl::StatusOr<v1::Snapshot> snapshot = client().GetSnapshot(state);
  if (!snapshot.ok()) return snapshot.status();
  return client().GetModel(snapshot->model());
}

}  // namespace stepwell::cli
