#include "stepwell/engine/selection.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace stepwell {

absl::StatusOr<int> ResolvePosition(const StateSpec& spec, const Index& index) {
  if (const auto* path = std::get_if<IndexPath>(&index)) return spec.Position(path->value);
  if (const auto* position = std::get_if<IndexPosition>(&index)) {
    const absl::Status in_range = spec.CheckPosition(position->value);
    if (!in_range.ok()) return in_range;
    return static_cast<int>(position->value);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("subtree \"", std::get<IndexSubtree>(index).value,
                   "\" where one index is meant; expected a path or a position"));
}

absl::StatusOr<std::vector<int>> ResolvePositions(const StateSpec& spec, const Index& index) {
  if (const auto* subtree = std::get_if<IndexSubtree>(&index)) return spec.Subtree(subtree->value);
  const absl::StatusOr<int> position = ResolvePosition(spec, index);
  if (!position.ok()) return position.status();
  return std::vector<int>{*position};
}

absl::StatusOr<std::vector<Selected>> Resolve(const StateSpec& spec,
                                              absl::Span<const ArraySelector> selectors) {
  static const auto& kWhole = *new std::vector<Slice>();
  std::vector<Selected> selected;
  if (selectors.empty()) {
    for (int position = 0; position < spec.size(); ++position) selected.push_back({position, &kWhole});
  }
  for (const ArraySelector& selector : selectors) {
    const absl::StatusOr<std::vector<int>> positions = ResolvePositions(spec, selector.index);
    if (!positions.ok()) return positions.status();
    for (const int position : *positions) selected.push_back({position, &selector.slices});
  }
  return selected;
}

absl::StatusOr<NamedArrays> Take(const StateSpec& spec, absl::Span<const Selected> selected,
                                 absl::Span<const Array> arrays) {
  NamedArrays taken;
  taken.reserve(selected.size());
  for (const auto& [position, slices] : selected) {
    const std::string& index = spec[position].tensor.name;
    absl::StatusOr<Array> part = TakeSlice(arrays[static_cast<size_t>(position)], *slices);
    if (!part.ok()) {
      return absl::Status(part.status().code(),
                          absl::StrCat("index \"", index, "\": ", part.status().message()));
    }
    taken.emplace_back(index, *std::move(part));
  }
  return taken;
}

int64_t ByteCount(const NamedArrays& arrays) {
  int64_t bytes = 0;
  for (const auto& [name, array] : arrays) bytes += array.byte_count();
  return bytes;
}

int64_t MaxCopiedBytes(absl::Span<const Selected> selected, absl::Span<const Array> arrays) {
  int64_t bytes = 0;
  for (const auto& [position, slices] : selected) {
    if (!slices->empty()) bytes += arrays[static_cast<size_t>(position)].byte_count();
  }
  return bytes;
}

}  // namespace stepwell
