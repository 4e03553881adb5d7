#include "stepwell/model/issues.h"

#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "stepwell/base/error_info.h"

namespace stepwell {

absl::Status Issues::ToStatus(absl::string_view model) const {
  if (empty()) return absl::OkStatus();
  const absl::string_view noun = lines_.size() == 1 ? " fault:\n" : " faults:\n";
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("the package of model \"", model, "\" has ", lines_.size(),
                                                 noun, absl::StrJoin(lines_, "\n"))),
      "MODEL_INVALID", {{"model", std::string(model)}});
}

}  // namespace stepwell
