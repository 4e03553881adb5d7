#include "client/cli/specs.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/error.h"
#include "client/cli/syntax.h"
#include "stepwell/array/dtype.h"

namespace stepwell::cli {

std::string SpecToText(const v1::TensorSpec& spec) {
  const std::string shape =
      absl::StrJoin(spec.shape(), ", ", [](std::string* out, const v1::Dimension& dimension) {
        if (dimension.extent() >= 0) {
          absl::StrAppend(out, dimension.extent());
        } else {
          absl::StrAppend(out, dimension.name().empty() ? "?" : dimension.name());
        }
      });
  const bool known = v1::DType_IsValid(spec.dtype()) && spec.dtype() != v1::DTYPE_UNSPECIFIED;
  return absl::StrCat(known ? DTypeName(static_cast<DType>(spec.dtype())) : "unknown dtype", " (", shape,
                      ")");
}

absl::StatusOr<v1::MethodInfo> FindMethod(const v1::ModelInfo& model, absl::string_view name) {
  for (const v1::MethodInfo& method : model.methods()) {
    if (method.name() == name) return method;
  }
  return BadInput(
      absl::StrCat("model \"", model.name(), "\" has no method \"", name, "\"; expected ",
                   absl::StrJoin(model.methods(), ", ", [](std::string* out, const v1::MethodInfo& method) {
                     absl::StrAppend(out, method.name());
                   })));
}

SpecList SpecList::Inputs(const v1::ModelInfo& model, const v1::MethodInfo& method) {
  SpecList list;
  list.whose_ = absl::StrCat("method \"", method.name(), "\" of model \"", model.name(), "\"");
  list.what_ = "input";
  list.specs_.assign(method.inputs().begin(), method.inputs().end());
  return list;
}

SpecList SpecList::StackedInputs(const v1::ModelInfo& model, const v1::MethodInfo& method) {
  SpecList list = Inputs(model, method);
  for (v1::TensorSpec& spec : list.specs_) {
    v1::TensorSpec stacked = spec;
    stacked.clear_shape();
    v1::Dimension& steps = *stacked.add_shape();
    steps.set_extent(-1);
    steps.set_name("steps");
    stacked.mutable_shape()->MergeFrom(spec.shape());
    spec = std::move(stacked);
  }
  return list;
}

SpecList SpecList::StateArrays(const v1::ModelInfo& model) {
  SpecList list;
  list.whose_ = absl::StrCat("model \"", model.name(), "\"");
  list.what_ = "index";
  for (const v1::StateArrayInfo& info : model.state_spec()) list.specs_.push_back(info.tensor());
  return list;
}

absl::StatusOr<v1::TensorSpec> SpecList::Find(absl::string_view name) const {
  for (const v1::TensorSpec& spec : specs_) {
    if (spec.name() == name) return spec;
  }
  const std::string names = absl::StrJoin(specs_, ", ", [](std::string* out, const v1::TensorSpec& spec) {
    absl::StrAppend(out, spec.name(), " ", SpecToText(spec));
  });
  return BadInput(
      absl::StrCat(whose_, " has no ", what_, " \"", name, "\"; expected ", names.empty() ? "none" : names));
}

absl::StatusOr<client::NamedArrays> SpecList::Read(const std::vector<std::string>& assignments,
                                                   ArraySource& source) const {
  client::NamedArrays arrays;
  for (const std::string& text : assignments) {
    const auto assignment = ParseAssignment(text);
    if (!assignment.ok()) return assignment.status();
    const absl::StatusOr<v1::TensorSpec> spec = Find(assignment->first);
    if (!spec.ok()) return spec.status();
    absl::StatusOr<Array> array = source.Read(assignment->second, *spec);
    if (!array.ok()) return array.status();
    arrays.emplace_back(assignment->first, *std::move(array));
  }
  return arrays;
}

absl::StatusOr<client::NamedArrays> SpecList::ReadObject(const Json& object, absl::string_view where) const {
  client::NamedArrays arrays;
  for (const auto& [name, value] : object.items()) {
    const absl::StatusOr<v1::TensorSpec> spec = Find(name);
    if (!spec.ok()) return spec.status();
    absl::StatusOr<Array> array = ArrayFromJson(value, *spec);
    if (!array.ok()) return BadInputAt(absl::StrCat(where, name), array.status());
    arrays.emplace_back(name, *std::move(array));
  }
  return arrays;
}

absl::StatusOr<client::NamedArrays> SpecList::ReadAll(const std::vector<std::string>& assignments,
                                                      const std::string& object_file,
                                                      std::istream* in) const {
  ArraySource source(in);
  absl::StatusOr<client::NamedArrays> arrays = Read(assignments, source);
  if (!arrays.ok() || object_file.empty()) return arrays;
  const absl::StatusOr<Json> object = source.ReadObject(object_file);
  if (!object.ok()) return BadInputAt("--inputs", object.status());
  absl::StatusOr<client::NamedArrays> members = ReadObject(*object, "--inputs: ");
  if (!members.ok()) return members.status();
  std::move(members->begin(), members->end(), std::back_inserter(*arrays));
  return arrays;
}

}  // namespace stepwell::cli
