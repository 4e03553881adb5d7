#include "stepwell/model/state_spec.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "stepwell/base/error_info.h"
#include "stepwell/model/index_path.h"

namespace stepwell {
namespace {

constexpr size_t kMaxListed = 8;

bool Fits(const TensorSpec& spec, const Array& array) {
  if (array.dtype() != spec.dtype || static_cast<size_t>(array.shape().rank()) != spec.dims.size())
    return false;
  for (size_t axis = 0; axis < spec.dims.size(); ++axis) {
    const Dim& dim = spec.dims[axis];
    if (!dim.is_dynamic() && dim.extent != array.shape()[static_cast<int>(axis)]) return false;
  }
  return true;
}

// How many bytes `a` and `b` share from the front.
size_t CommonPrefix(absl::string_view a, absl::string_view b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// "the model has a, b, c and 12 more": the indices that share most with the front of `index` come first.
std::string NearestIndices(absl::Span<const StateArraySpec> arrays, absl::string_view index) {
  if (arrays.empty()) return "the model has no state";
  std::vector<std::pair<size_t, absl::string_view>> ranked;
  ranked.reserve(arrays.size());
  for (const StateArraySpec& array : arrays) {
    ranked.emplace_back(CommonPrefix(array.tensor.name, index), array.tensor.name);
  }
  std::ranges::stable_sort(ranked, std::ranges::greater(), [](const auto& entry) { return entry.first; });
  const size_t listed = std::min(ranked.size(), kMaxListed);
  const std::string names =
      absl::StrJoin(ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(listed), ", ",
                    [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.second); });
  const std::string more =
      listed < ranked.size() ? absl::StrCat(" and ", ranked.size() - listed, " more") : "";
  return absl::StrCat("the model has ", names, more);
}

absl::Status IndexNotFound(absl::Span<const StateArraySpec> arrays, absl::string_view index) {
  return WithErrorInfo(absl::NotFoundError(absl::StrCat("index \"", index, "\" is not in the state spec; ",
                                                        NearestIndices(arrays, index))),
                       "INDEX_NOT_FOUND", {{"index", std::string(index)}});
}

Array MakeRngKey(uint64_t seed) {
  const uint32_t halves[] = {static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(seed)};
  return Array::From<uint32_t>({2}, halves).value();
}

}  // namespace

absl::Status TensorSpec::Check(absl::string_view what, const Array& array) const {
  if (Fits(*this, array)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " \"", name, "\" is ", DTypeName(array.dtype()), " ",
                                                 array.shape().ToString(), "; expected ", ToString()));
}

std::string TensorSpec::ToString() const {
  const auto format_dim = [](std::string* out, const Dim& dim) {
    if (!dim.is_dynamic()) {
      absl::StrAppend(out, dim.extent);
    } else {
      absl::StrAppend(out, dim.name.empty() ? "?" : dim.name);
    }
  };
  return absl::StrCat(DTypeName(dtype), " (", absl::StrJoin(dims, ", ", format_dim), ")");
}

StateSpec::StateSpec(std::vector<StateArraySpec> arrays) : arrays_(std::move(arrays)) {
  positions_.reserve(arrays_.size());
  for (int position = 0; position < size(); ++position) {
    positions_.emplace((*this)[position].tensor.name, position);
  }
}

std::optional<int> StateSpec::Find(absl::string_view index) const {
  const auto found = positions_.find(index);
  if (found == positions_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<int> StateSpec::Position(absl::string_view index) const {
  if (const std::optional<int> position = Find(index)) return *position;
  if (absl::Status status = CheckIndexPath(index); !status.ok()) return status;
  return IndexNotFound(arrays_, index);
}

absl::Status StateSpec::CheckPosition(int64_t position) const {
  if (position >= 0 && position < size()) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("state position ", position, " is out of range; expected 0 <= position < ", size()));
}

absl::StatusOr<std::vector<int>> StateSpec::Subtree(absl::string_view path) const {
  std::vector<int> positions;
  for (int position = 0; position < size(); ++position) {
    if (IsAtOrBelow((*this)[position].tensor.name, path)) positions.push_back(position);
  }
  if (!positions.empty()) return positions;
  if (!path.empty()) {
    if (absl::Status status = CheckIndexPath(path); !status.ok()) return status;
  }
  return IndexNotFound(arrays_, path);
}

absl::StatusOr<std::vector<Array>> StateSpec::MakeInitial(
    absl::Span<const std::pair<std::string, Array>> given, std::optional<uint64_t> rng_seed) const {
  std::vector<const Array*> replacements(arrays_.size(), nullptr);
  for (const auto& [index, array] : given) {
    const absl::StatusOr<int> position = Position(index);
    if (!position.ok()) return position.status();
    const Array*& replacement = replacements[static_cast<size_t>(*position)];
    if (replacement != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("state array \"", index, "\" is given twice; expected once"));
    }
    if (absl::Status status = (*this)[*position].tensor.Check("state array", array); !status.ok()) {
      return status;
    }
    replacement = &array;
  }

  std::vector<Array> initial;
  initial.reserve(arrays_.size());
  for (size_t i = 0; i < arrays_.size(); ++i) {
    const StateArraySpec& spec = arrays_[i];
    if (replacements[i] != nullptr) {
      initial.push_back(*replacements[i]);
    } else if (const auto* array = std::get_if<Array>(&spec.initial)) {
      initial.push_back(*array);
    } else if (std::holds_alternative<RngKey>(spec.initial) && rng_seed.has_value()) {
      initial.push_back(MakeRngKey(*rng_seed));
    } else if (std::holds_alternative<RngKey>(spec.initial)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "state array \"", spec.tensor.name, "\" is a random key; expected a seed, or the array itself"));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("state array \"", spec.tensor.name,
                       "\" has no initial value of its own; expected an array of ", spec.tensor.ToString()));
    }
  }
  return initial;
}

}  // namespace stepwell
