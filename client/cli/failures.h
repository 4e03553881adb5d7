#ifndef STEPWELL_CLIENT_CLI_FAILURES_H_
#define STEPWELL_CLIENT_CLI_FAILURES_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace stepwell::cli {

// The steps that failed of those that lines tell. The first of them decides the exit code. Thread-compatible.
class Failures {
 public:
  void Add(int64_t line, const absl::Status& status) {
    if (count_++ > 0) return;
    line_ = line;
    first_ = status;
  }

  absl::Status ToStatus(int64_t steps) const {
    if (count_ == 0) return absl::OkStatus();
    absl::Status status(first_.code(),
                        absl::StrCat(count_, " of ", steps, " steps failed, the first on line ", line_, ": ",
                                     first_.message()));
    first_.ForEachPayload(
        [&status](absl::string_view url, const absl::Cord& payload) { status.SetPayload(url, payload); });
    return status;
  }

 private:
  int64_t count_ = 0;
  int64_t line_ = 0;
  absl::Status first_;
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_FAILURES_H_
