#include "client/cli/decimal.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace stepwell::cli {
namespace {

// From "-1.250e-07" or "-125.0".
Decimal Parse(absl::string_view text) {
  Decimal decimal;
  decimal.negative = !text.empty() && text[0] == '-';
  if (decimal.negative) text.remove_prefix(1);
  const size_t mantissa_end = std::min(text.find('e'), text.size());
  if (mantissa_end < text.size()) {
    absl::string_view exponent = text.substr(mantissa_end + 1);
    if (exponent[0] == '+') exponent.remove_prefix(1);
    (void)absl::SimpleAtoi(exponent, &decimal.exponent);
  }
  const absl::string_view mantissa = text.substr(0, mantissa_end);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  decimal.exponent += static_cast<int>(point) - 1;
  decimal.digits = std::string(mantissa.substr(0, point));
  if (point < mantissa.size()) absl::StrAppend(&decimal.digits, mantissa.substr(point + 1));

  const size_t first = decimal.digits.find_first_not_of('0');
  if (first == std::string::npos) return {decimal.negative, "0", 0};
  decimal.exponent -= static_cast<int>(first);
  decimal.digits = decimal.digits.substr(first, decimal.digits.find_last_not_of('0') - first + 1);
  return decimal;
}

template <typename T>
Decimal ShortestOfNative(T value) {
  char text[64];
  const std::to_chars_result end =
      std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific);
  return Parse({text, static_cast<size_t>(end.ptr - text)});
}

// Narrow types have few digits to try.
template <typename Narrow>
Decimal ShortestOfNarrow(float value, Narrow narrow) {
  for (int digits = 0;; ++digits) {
    const std::string text = absl::StrFormat("%.*e", digits, value);
    if (ToFloat(narrow(std::strtof(text.c_str(), nullptr))) == value) return Parse(text);
  }
}

}  // namespace

std::string Decimal::ToScientific() const {
  return absl::StrCat(negative ? "-" : "", digits.substr(0, 1), ".", digits.substr(1), "e", exponent);
}

int Decimal::fraction_digits() const { return std::max(significant_digits() - 1 - exponent, 0); }

int Decimal::significant_digits() const { return static_cast<int>(digits.size()); }

Decimal ShortestDecimal(double value) { return ShortestOfNative(value); }
Decimal ShortestDecimal(float value) { return ShortestOfNative(value); }
Decimal ShortestDecimal(Float16 value) { return ShortestOfNarrow(ToFloat(value), ToFloat16); }
Decimal ShortestDecimal(BFloat16 value) { return ShortestOfNarrow(ToFloat(value), ToBFloat16); }

Decimal RoundToDigits(double value, int digits_after_first) {
  return Parse(absl::StrFormat("%.*e", digits_after_first, value));
}

Decimal RoundToFraction(double value, int digits_after_point) {
  return Parse(absl::StrFormat("%.*f", digits_after_point, value));
}

}  // namespace stepwell::cli
