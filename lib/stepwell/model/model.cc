#include "stepwell/model/model.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "stepwell/base/error_info.h"

namespace stepwell {

absl::StatusOr<const Method*> Model::FindMethod(absl::string_view name) const {
  for (const auto& method : parts_.methods) {
    if (method->name() == name) return method.get();
  }
  constexpr size_t kMaxListed = 8;
  const absl::Span<const std::unique_ptr<const Method>> listed = methods().subspan(0, kMaxListed);
  const std::string names = absl::StrJoin(
      listed, ", ", [](std::string* out, const auto& method) { absl::StrAppend(out, method->name()); });
  const size_t more = methods().size() - listed.size();
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat("model \"", parts_.name, "\" has no method \"",
                                       absl::CHexEscape(name.substr(0, 128)), "\"; it has ", names,
                                       more > 0 ? absl::StrCat(" and ", more, " more") : "")),
      "METHOD_NOT_FOUND", {{"method", std::string(name.substr(0, 128))}, {"model", parts_.name}});
}

}  // namespace stepwell
