#ifndef STEPWELL_MODEL_ISSUES_H_
#define STEPWELL_MODEL_ISSUES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace stepwell {

// What is wrong with a package: all of it, a line each, as "file: thing: what is, what was expected".
// Thread-compatible.
class Issues {
 public:
  // Adds the line "where: parts…".
  template <typename... Parts>
  void Add(absl::string_view where, const Parts&... parts) {
    lines_.push_back(absl::StrCat(where, ": ", parts...));
  }

  bool empty() const { return lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }

  // OK when nothing is wrong, else FAILED_PRECONDITION (reason MODEL_INVALID) with every line.
  absl::Status ToStatus(absl::string_view model) const;

 private:
  std::vector<std::string> lines_;
};

}  // namespace stepwell

#endif  // STEPWELL_MODEL_ISSUES_H_
