#ifndef STEPWELL_CLIENT_CLI_VERSION_GRAPH_H_
#define STEPWELL_CLIENT_CLI_VERSION_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stepwell::cli {

// Draws versions and their parents as lines of text, the newest on top, as `git log --graph` does:
//
//   * 5 on the right
//   | * 4 on the left
//   |/
//   * 1 the root
//
// Thread-compatible.
class VersionGraph {
 public:
  // The lines for a version, beside which stands `text`. Versions come in descending order, so that a parent
  // that was passed over is known to be gone: the line to it ends there.
  std::vector<std::string> Add(int64_t version, std::optional<int64_t> parent, const std::string& text);

 private:
  // Closes `lane`, which runs into `into` or ends; the lanes to its right move up. Nothing when there is
  // nothing to be seen of that.
  std::optional<std::string> Close(size_t lane, std::optional<size_t> into);

  std::vector<int64_t> lanes_;  // The version that each leads down to.
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_VERSION_GRAPH_H_
