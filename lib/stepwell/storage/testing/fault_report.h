#ifndef STEPWELL_STORAGE_TESTING_FAULT_REPORT_H_
#define STEPWELL_STORAGE_TESTING_FAULT_REPORT_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace stepwell::testing {

// What requests got while something was broken, and what was there afterwards of what was acknowledged: a
// line of the table that tests/faults/run.sh prints. Thread-compatible.
class FaultReport {
 public:
  explicit FaultReport(absl::string_view fault) : fault_(fault) {}

  // The line goes into the test's XML output.
  ~FaultReport() {
    ::testing::Test::RecordProperty("fault", fault_);
    ::testing::Test::RecordProperty("requests", TextOf(requests_));
    ::testing::Test::RecordProperty("lost", absl::StrCat(lost_, " of ", acknowledged_, " acknowledged"));
  }

  FaultReport(const FaultReport&) = delete;
  FaultReport& operator=(const FaultReport&) = delete;

  // A request of the kind `what` got `status`, which came with `reason`, if any.
  void Got(absl::string_view what, const absl::Status& status, absl::string_view reason) {
    std::string answer = status.ok() ? "OK" : absl::StatusCodeToString(status.code());
    if (!reason.empty()) absl::StrAppend(&answer, " ", reason);
    ++requests_[absl::StrCat(what, ": ", answer)];
  }

  // Something acknowledged was looked for when the fault was gone.
  void Found(bool is_there) {
    ++acknowledged_;
    if (!is_there) ++lost_;
  }

 private:
  static std::string TextOf(const std::map<std::string, int>& requests) {
    return absl::StrJoin(requests, "; ", [](std::string* out, const auto& request) {
      absl::StrAppend(out, request.first, request.second > 1 ? absl::StrCat(" (", request.second, ")") : "");
    });
  }

  const std::string fault_;
  std::map<std::string, int> requests_;
  int acknowledged_ = 0;
  int lost_ = 0;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_STORAGE_TESTING_FAULT_REPORT_H_
