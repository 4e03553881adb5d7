#ifndef STEPWELL_TESTS_E2E_TRAJECTORY_H_
#define STEPWELL_TESTS_E2E_TRAJECTORY_H_

#include <string>

#include "stepwell/array/array.h"

namespace stepwell::testing {

// Element `row` of the outermost axis of `rows`. It shares their bytes.
Array Row(const Array& rows, int64_t row);

// Fails the test, naming `what`, unless `actual` has the dtype and shape of `expected` and every element is
// close to its: |actual - expected| <= 1e-5 + 1e-5 |expected| for floating-point numbers, of which NaN is
// close to NaN and an infinity to itself; equal for integers and bools.
void ExpectClose(const Array& actual, const Array& expected, const std::string& what);

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_E2E_TRAJECTORY_H_
