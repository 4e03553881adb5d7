#ifndef STEPWELL_CLIENT_CLI_SESSION_H_
#define STEPWELL_CLIENT_CLI_SESSION_H_

#include <istream>
#include <memory>
#include <ostream>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cli/array_json.h"
#include "stepwell/client/client.h"

namespace stepwell::cli {

// What a server puts into one page at most.
inline constexpr int kMaxPageSize = 1000;

// What may be said to every command.
struct GlobalOptions {
  std::string server = "127.0.0.1:7350";
  absl::Duration timeout = absl::Seconds(30);
  bool has_timeout = false;  // It was asked for.
  bool json = false;
};

// What a command works with: its options, the server, and where it reads and writes. Thread-compatible.
class Session {
 public:
  // The streams must outlive the session.
  Session(GlobalOptions options, std::istream* in, std::ostream* out)
      : options_(std::move(options)), in_(in), out_(out) {}

  const GlobalOptions& options() const { return options_; }
  bool json() const { return options_.json; }
  std::istream* in() const { return in_; }
  std::ostream& out() const { return *out_; }

  // Of calls that take as long as there is to move: no time limit, unless one was asked for.
  client::CallOptions WithoutHaste() const {
    return {.timeout = options_.has_timeout ? options_.timeout : absl::InfiniteDuration()};
  }

  // Of the server; connects at its first call.
  client::Client& client();

  // Writes one JSON value on a line of its own.
  void Write(const Json& value) const;

  // Calls `visit` with every branch whose name starts with `prefix`, by name.
  absl::Status ForEachBranch(const std::string& prefix, absl::FunctionRef<void(const v1::Branch&)> visit);

  // The revision of its model that steps a state.
  absl::StatusOr<v1::ModelInfo> ModelOf(const client::StateRef& state,
                                        const client::RevisionChoice& revision);

 private:
  const GlobalOptions options_;
  std::istream* const in_;
  std::ostream* const out_;
  std::unique_ptr<client::Client> client_;
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_SESSION_H_
