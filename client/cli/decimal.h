#ifndef STEPWELL_CLIENT_CLI_DECIMAL_H_
#define STEPWELL_CLIENT_CLI_DECIMAL_H_

#include <string>

#include "stepwell/array/dtype.h"

namespace stepwell::cli {

inline double ToDouble(double value) { return value; }
inline double ToDouble(Float16 value) { return ToFloat(value); }
inline double ToDouble(BFloat16 value) { return ToFloat(value); }

// A finite number in decimal: d.ddd x 10^exponent, where `digits` are the d's. The first is not 0, nor is the
// last if there are more; zero is the one digit 0 with exponent 0.
struct Decimal {
  bool negative = false;
  std::string digits;
  int exponent = 0;

  // "-1.25e-7": what every parser of numbers takes.
  std::string ToScientific() const;

  int fraction_digits() const;     // After the point, written without an exponent.
  int significant_digits() const;  // All of them.
};

// The fewest digits that tell `value` from every other number of its type; of several, those nearest to it.
Decimal ShortestDecimal(double value);
Decimal ShortestDecimal(float value);
Decimal ShortestDecimal(Float16 value);
Decimal ShortestDecimal(BFloat16 value);

// `value` rounded to so many digits after the first, or after the point; exact halves go to the even digit.
Decimal RoundToDigits(double value, int digits_after_first);
Decimal RoundToFraction(double value, int digits_after_point);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_DECIMAL_H_
