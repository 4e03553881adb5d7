#include "client/cli/version_graph.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace stepwell::cli {

std::vector<std::string> VersionGraph::Add(int64_t version, std::optional<int64_t> parent,
                                           const std::string& text) {
  std::vector<std::string> lines;
  for (size_t lane = lanes_.size(); lane-- > 0;) {
    if (lanes_[lane] <= version) continue;
    if (std::optional<std::string> ended = Close(lane, std::nullopt)) lines.push_back(*std::move(ended));
  }
  const auto at = static_cast<size_t>(std::ranges::find(lanes_, version) - lanes_.begin());
  if (at == lanes_.size()) lanes_.push_back(version);
  for (size_t lane = lanes_.size() - 1; lane > at; --lane) {
    if (lanes_[lane] != version) continue;
    if (std::optional<std::string> joined = Close(lane, at)) lines.push_back(*std::move(joined));
  }
  std::string line;
  for (size_t lane = 0; lane < lanes_.size(); ++lane) line += lane == at ? "* " : "| ";
  lines.push_back(absl::StrCat(line, text));
  if (parent.has_value()) {
    lanes_[at] = *parent;
  } else if (std::optional<std::string> closed = Close(at, std::nullopt)) {
    lines.push_back(*std::move(closed));
  }
  return lines;
}

std::optional<std::string> VersionGraph::Close(size_t lane, std::optional<size_t> into) {
  const bool is_seen = into.has_value() || lane + 1 < lanes_.size();
  std::string line(2 * lanes_.size(), ' ');
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (i < lane) line[2 * i] = '|';
    if (i > lane || (i == lane && into.has_value())) line[2 * i - 1] = '/';
  }
  for (size_t i = into.value_or(lane) + 1; i < lane; ++i) line[2 * i - 1] = '_';
  line.erase(line.find_last_not_of(' ') + 1);
  lanes_.erase(std::next(lanes_.begin(), static_cast<std::ptrdiff_t>(lane)));
  return is_seen ? std::make_optional(std::move(line)) : std::nullopt;
}

}  // namespace stepwell::cli
