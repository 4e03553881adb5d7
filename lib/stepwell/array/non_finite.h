#ifndef STEPWELL_ARRAY_NON_FINITE_H_
#define STEPWELL_ARRAY_NON_FINITE_H_

#include <cstdint>
#include <optional>

#include "stepwell/array/array.h"

namespace stepwell {

// An element that is a NaN or an infinity.
struct NonFinite {
  int64_t element;  // Its number in C order, from 0.
  double value;
};

// The first such element; nothing when all are finite, as they are in every array of integers or bools.
std::optional<NonFinite> FindNonFinite(const Array& array);

}  // namespace stepwell

#endif  // STEPWELL_ARRAY_NON_FINITE_H_
