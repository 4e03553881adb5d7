#ifndef STEPWELL_ARRAY_DIFFERENCE_H_
#define STEPWELL_ARRAY_DIFFERENCE_H_

#include "stepwell/array/array.h"

namespace stepwell {

// How far two arrays are apart: over all elements, |to - from| in float64.
struct Difference {
  double max_abs = 0;
  double mean_abs = 0;
};

// Of two arrays of the same shape, whatever their dtypes; both 0 where there are no elements. A bool is 0 or
// 1. Integers of one dtype are subtracted exactly and rounded once; of two dtypes, every element becomes a
// float64 first. Elements that are the same number, be it an infinity, or both NaN (numpy's equal_nan) differ
// by 0. Else it is numpy's arithmetic: an infinity differs from any other number by infinity, and one NaN
// makes both results NaN.
Difference AbsDifference(const Array& from, const Array& to);

}  // namespace stepwell

#endif  // STEPWELL_ARRAY_DIFFERENCE_H_
