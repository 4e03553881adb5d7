#ifndef STEPWELL_CLIENT_CLI_ERROR_H_
#define STEPWELL_CLIENT_CLI_ERROR_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace stepwell::cli {

// What the command exits with; its help lists them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitRefused = 1;   // The server said no.
inline constexpr int kExitBadInput = 2;  // The command line or a file is wrong; the server was asked nothing.
inline constexpr int kExitUnreachable = 3;  // No answer from the server.

// INVALID_ARGUMENT, found here rather than by the server: the exit code is kExitBadInput.
absl::Status BadInput(absl::string_view message);

// `status`, found here, after `context` and a colon. OK stays OK.
absl::Status BadInputAt(absl::string_view context, const absl::Status& status);

int ExitCode(const absl::Status& status);

// Writes the error for people: code, reason, message, and what to do next where that is known. `server` is
// the address that was called.
void WriteError(const absl::Status& status, absl::string_view server, std::ostream& out);

// Writes the error for programs, as one line: {"error": {"code", "reason", "message", "metadata"}}.
void WriteJsonError(const absl::Status& status, std::ostream& out);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_ERROR_H_
