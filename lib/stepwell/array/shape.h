#ifndef STEPWELL_ARRAY_SHAPE_H_
#define STEPWELL_ARRAY_SHAPE_H_

#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "stepwell/array/dtype.h"

namespace stepwell {

// The extents of an array, outermost axis first; rank 0 is a scalar. Every extent is non-negative and an
// array of this shape, of any dtype, has a byte count that fits in int64: Make refuses all else.
// Thread-compatible.
class Shape {
 public:
  // The most axes an array may have.
  static constexpr int kMaxRank = 32;

  // A scalar's shape.
  Shape() = default;

  // INVALID_ARGUMENT: a negative extent, more than kMaxRank axes, or more elements than a byte count can
  // tell.
  static absl::StatusOr<Shape> Make(absl::Span<const int64_t> dims);

  // Of one axis without elements: (0).
  static Shape Empty() {
    Shape shape;
    shape.dims_.push_back(0);
    return shape;
  }

  // For shapes that the program itself knows to be right.
  static Shape Of(std::initializer_list<int64_t> dims);

  int rank() const { return static_cast<int>(dims_.size()); }
  int64_t operator[](int axis) const { return dims_[static_cast<size_t>(axis)]; }
  absl::Span<const int64_t> dims() const { return dims_; }

  // The product of the extents; 1 for a scalar.
  int64_t element_count() const {
    int64_t count = 1;
    for (const int64_t dim : dims_) count *= dim;
    return count;
  }

  // Bytes of an array of this shape.
  int64_t ByteCount(DType dtype) const { return element_count() * static_cast<int64_t>(ItemSize(dtype)); }

  // Where element number `element` in C order stands, a coordinate for each axis, as numpy.unravel_index
  // tells it. `element` is one of this shape's.
  absl::InlinedVector<int64_t, 4> Unravel(int64_t element) const;

  // As Python writes a tuple without its trailing comma: "()", "(3)", "(8, 4)".
  std::string ToString() const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.dims_ == b.dims_; }

 private:
  absl::InlinedVector<int64_t, 4> dims_;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace stepwell

#endif  // STEPWELL_ARRAY_SHAPE_H_
