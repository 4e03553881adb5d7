#include "stepwell/engine/method_call.h"

#include <utility>

#include "absl/strings/string_view.h"
#include "stepwell/engine/errors.h"

namespace stepwell {
namespace {

// The position of the spec named `name`, or -1; methods have a handful.
int FindSpec(absl::Span<const TensorSpec> specs, absl::string_view name) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

absl::StatusOr<ArrayVector> OrderInputs(const Method& method, NamedArrays&& given) {
  const absl::Span<const TensorSpec> specs = method.inputs();
  ArrayVector inputs(specs.size());
  absl::InlinedVector<bool, 8> bound(specs.size(), false);
  for (auto& [name, array] : given) {
    const int at = FindSpec(specs, name);
    if (at < 0) return UnknownInput(method.name(), name, specs);
    if (bound[at]) return DuplicateInput(method.name(), name);
    inputs[at] = std::move(array);
    bound[at] = true;
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    if (!bound[i]) return MissingInput(method.name(), specs[i].name, specs);
  }
  return inputs;
}

absl::StatusOr<absl::InlinedVector<int, 4>> ChooseOutputs(const Method& method,
                                                          absl::Span<const std::string> names) {
  const absl::Span<const TensorSpec> specs = method.outputs();
  absl::InlinedVector<int, 4> chosen;
  if (names.empty()) {
    for (size_t i = 0; i < specs.size(); ++i) chosen.push_back(static_cast<int>(i));
  }
  for (const std::string& name : names) {
    const int at = FindSpec(specs, name);
    if (at < 0) return UnknownOutput(method.name(), name, specs);
    chosen.push_back(at);
  }
  return chosen;
}

}  // namespace stepwell
