#ifndef STEPWELL_CLIENT_CLI_SYNTAX_H_
#define STEPWELL_CLIENT_CLI_SYNTAX_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "stepwell/array/slice.h"
#include "stepwell/client/types.h"

// The small languages of the command line. Every error is BadInput and quotes what was given.
namespace stepwell::cli {

// A state: digits are a version; anything else is the name of a branch, as is whatever follows an "@", which
// no branch name starts with: "42" is a version, "@42" and "live" are branches.
absl::StatusOr<client::StateRef> ParseStateRef(absl::string_view text);

// A version alone: a positive number.
absl::StatusOr<client::Version> ParseVersion(absl::string_view text);

// One slice for each axis, as between Python's brackets: "0:4,::2", "-3:". A lone number "2" takes one
// element and, unlike Python's, keeps the axis.
absl::StatusOr<std::vector<Slice>> ParseSlices(absl::string_view text);

// NAME=VALUE. An "=" within brackets belongs to the name: an index may be params['a=b'].
absl::StatusOr<std::pair<std::string, std::string>> ParseAssignment(absl::string_view text);

// KEY=VALUE for each; a key must not come twice.
absl::StatusOr<client::Labels> ParseLabels(const std::vector<std::string>& texts);

// A point in time: "never", a time from now such as "90s" or "2h" ("-2h" is the past), or one in RFC 3339,
// "2026-01-31T12:00:00Z", of which the time of day may be left out.
absl::StatusOr<absl::Time> ParseTime(absl::string_view text, absl::Time now);

// A positive span of time: "10" and "2.5" are seconds, else with units: "500ms", "2m",
// "1h30m".
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_SYNTAX_H_
