#include "stepwell/array/shape.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace stepwell {
namespace {

std::string DimsToString(absl::Span<const int64_t> dims) {
  return absl::StrCat("(", absl::StrJoin(dims, ", "), ")");
}

}  // namespace

absl::StatusOr<Shape> Shape::Make(absl::Span<const int64_t> dims) {
  constexpr int64_t kMaxElements = std::numeric_limits<int64_t>::max() / static_cast<int64_t>(sizeof(double));
  if (dims.size() > kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape has ", dims.size(), " dimensions; expected at most ", kMaxRank));
  }
  int64_t elements = 1;
  for (const int64_t dim : dims) {
    if (dim < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "shape ", DimsToString(dims), " has the negative dimension ", dim, "; expected 0 or more"));
    }
    // Checked over the non-zero extents, so that (0, huge, huge) is refused too: its strides would overflow.
    if (dim > 0 && elements > kMaxElements / dim) {
      return absl::InvalidArgumentError(absl::StrCat(
          "shape ", DimsToString(dims), " overflows; expected at most ", kMaxElements, " elements"));
    }
    if (dim > 0) elements *= dim;
  }
  Shape shape;
  shape.dims_.assign(dims.begin(), dims.end());
  return shape;
}

Shape Shape::Of(std::initializer_list<int64_t> dims) { return Make(dims).value(); }

absl::InlinedVector<int64_t, 4> Shape::Unravel(int64_t element) const {
  absl::InlinedVector<int64_t, 4> coordinates(dims_.size());
  for (size_t axis = dims_.size(); axis-- > 0;) {
    coordinates[axis] = element % dims_[axis];
    element /= dims_[axis];
  }
  return coordinates;
}

std::string Shape::ToString() const { return DimsToString(dims_); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.ToString(); }

}  // namespace stepwell
