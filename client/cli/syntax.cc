#include "client/cli/syntax.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/error.h"

namespace stepwell::cli {
namespace {

bool IsNumber(absl::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
}

absl::Status BadSlice(absl::string_view text, absl::string_view all) {
  return BadInput(
      absl::StrCat("\"", text, "\" in the slice \"", all,
                   "\"; expected START:STOP:STEP of whole numbers, each of which may be left out, or one "
                   "number; axes are set apart by commas, as in 0:4,::2"));
}

absl::StatusOr<Slice> ParseAxis(absl::string_view text, absl::string_view all) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  if (parts.size() > 3 || absl::StripAsciiWhitespace(text).empty()) return BadSlice(text, all);
  std::optional<int64_t> bounds[3];
  for (size_t i = 0; i < parts.size(); ++i) {
    const absl::string_view part = absl::StripAsciiWhitespace(parts[i]);
    if (part.empty()) continue;
    int64_t bound;
    if (!absl::SimpleAtoi(part, &bound)) return BadSlice(text, all);
    bounds[i] = bound;
  }
  if (parts.size() == 1) {
    Slice slice{.start = bounds[0]};
    // After the last element there is nothing to stop at.
    if (*slice.start != -1 && *slice.start != std::numeric_limits<int64_t>::max())
      slice.stop = *slice.start + 1;
    return slice;
  }
  if (bounds[2] == 0) return BadInput(absl::StrCat("the slice \"", all, "\" has step 0; expected another"));
  return Slice{bounds[0], bounds[1], bounds[2]};
}

}  // namespace

absl::StatusOr<client::Version> ParseVersion(absl::string_view text) {
  client::Version version;
  if (!IsNumber(text) || !absl::SimpleAtoi(text, &version.value) || version.value <= 0) {
    return BadInput(absl::StrCat("\"", text, "\" is no version; expected a number from 1 to ",
                                 std::numeric_limits<int64_t>::max()));
  }
  return version;
}

absl::StatusOr<client::StateRef> ParseStateRef(absl::string_view text) {
  if (IsNumber(text)) {
    const absl::StatusOr<client::Version> version = ParseVersion(text);
    if (version.ok()) return *version;
    return BadInput(absl::StrCat(version.status().message(), "; a branch of that name is written @", text));
  }
  const absl::string_view branch = absl::StripPrefix(text, "@");
  if (branch.empty()) {
    return BadInput(absl::StrCat("\"", text,
                                 "\" names no state; expected a version such as 42, or a branch such as ",
                                 "live or @live"));
  }
  return client::BranchName{std::string(branch)};
}

absl::StatusOr<std::vector<Slice>> ParseSlices(absl::string_view text) {
  std::vector<Slice> slices;
  for (const absl::string_view axis : absl::StrSplit(text, ',')) {
    const absl::StatusOr<Slice> slice = ParseAxis(axis, text);
    if (!slice.ok()) return slice.status();
    slices.push_back(*slice);
  }
  return slices;
}

absl::StatusOr<std::pair<std::string, std::string>> ParseAssignment(absl::string_view text) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') ++depth;
    if (text[i] == ']') --depth;
    if (text[i] == '=' && depth <= 0 && i > 0) {
      return std::make_pair(std::string(text.substr(0, i)), std::string(text.substr(i + 1)));
    }
  }
  return BadInput(absl::StrCat("\"", text, "\"; expected NAME=VALUE, such as x=[1,2] or x=@file.npy"));
}

absl::StatusOr<client::Labels> ParseLabels(const std::vector<std::string>& texts) {
  client::Labels labels;
  for (const std::string& text : texts) {
    const std::pair<std::string, std::string> label = absl::StrSplit(text, absl::MaxSplits('=', 1));
    if (label.first.empty() || text.find('=') == std::string::npos) {
      return BadInput(absl::StrCat("label \"", text, "\"; expected KEY=VALUE"));
    }
    if (!labels.insert(label).second) {
      return BadInput(absl::StrCat("label \"", label.first, "\" is given twice; expected once"));
    }
  }
  return labels;
}

absl::StatusOr<absl::Time> ParseTime(absl::string_view text, absl::Time now) {
  if (text == "never") return absl::InfiniteFuture();
  absl::Duration from_now;
  if (absl::ParseDuration(text, &from_now)) return now + from_now;
  absl::Time time;
  for (const char* format : {"%Y-%m-%d%ET%H:%M:%E*S%Ez", "%Y-%m-%d"}) {
    std::string ignored;
    if (absl::ParseTime(format, text, &time, &ignored)) return time;
  }
  return BadInput(absl::StrCat("time \"", text, "\"; expected never, a time from now such as 90s or -2h, or ",
                               "one such as 2026-01-31 or 2026-01-31T12:00:00Z"));
}

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  double seconds;
  if (absl::SimpleAtod(text, &seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &duration)) {
    duration = absl::ZeroDuration();
  }
  if (duration <= absl::ZeroDuration() || duration == absl::InfiniteDuration()) {
    return BadInput(absl::StrCat(
        "time \"", text, "\"; expected seconds, such as 10, or a time with units, such as 500ms, 2m or 24h"));
  }
  return duration;
}

}  // namespace stepwell::cli
