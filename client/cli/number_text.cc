#include "client/cli/number_text.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "client/cli/decimal.h"

namespace stepwell::cli {
namespace {

constexpr int kPrecision = 8;  // Digits after the point, or after the first digit where there is an exponent.

// What differs between the float types: from where on they are written with an exponent, and their
// arithmetic.
template <typename T>
struct FloatTraits;
template <>
struct FloatTraits<double> {
  static constexpr double kScalarCutoff = 1e16;
  static constexpr double kArrayCutoff = 1e8;
  static double Round(double value) { return value; }
};
template <>
struct FloatTraits<float> {
  static constexpr double kScalarCutoff = 1e6;
  static constexpr double kArrayCutoff = 1e6;
  static double Round(double value) { return static_cast<float>(value); }
};
template <>
struct FloatTraits<Float16> {
  static constexpr double kScalarCutoff = 1e3;
  static constexpr double kArrayCutoff = 1e3;
  static double Round(double value) { return ToFloat(ToFloat16(static_cast<float>(value))); }
};
template <>
struct FloatTraits<BFloat16> {
  static constexpr double kScalarCutoff = 1e3;
  static constexpr double kArrayCutoff = 1e3;
  static double Round(double value) { return ToFloat(ToBFloat16(static_cast<float>(value))); }
};

// A number taken apart where its text is aligned.
struct Parts {
  std::string whole;     // With the sign.
  std::string fraction;  // After the point; may be empty.
  std::string exponent;  // With its sign, at least two digits; empty without one.
};

Parts Positional(const Decimal& decimal) {
  Parts parts;
  const std::string& digits = decimal.digits;
  const int point = decimal.exponent + 1;  // Digits before it.
  const auto size = static_cast<int>(digits.size());
  parts.whole = decimal.negative ? "-" : "";
  if (point <= 0) {
    parts.whole += "0";
    if (digits != "0") parts.fraction = std::string(static_cast<size_t>(-point), '0') + digits;
  } else if (point >= size) {
    parts.whole += digits + std::string(static_cast<size_t>(point - size), '0');
  } else {
    parts.whole += digits.substr(0, static_cast<size_t>(point));
    parts.fraction = digits.substr(static_cast<size_t>(point));
  }
  return parts;
}

Parts Scientific(const Decimal& decimal) {
  Parts parts;
  parts.whole = absl::StrCat(decimal.negative ? "-" : "", decimal.digits.substr(0, 1));
  parts.fraction = decimal.digits.substr(1);
  const int exponent = std::abs(decimal.exponent);
  parts.exponent = absl::StrCat(decimal.exponent < 0 ? "-" : "+", exponent < 10 ? "0" : "", exponent);
  return parts;
}

std::string NonFiniteToText(double value) { return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf"; }

void PadLeft(std::string& text, size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
}

template <typename T>
bool NeedsExponents(const std::vector<T>& elements) {
  using Traits = FloatTraits<T>;
  double least = std::numeric_limits<double>::infinity();
  double greatest = 0;
  for (const T element : elements) {
    const double magnitude = std::fabs(ToDouble(element));
    if (!std::isfinite(magnitude) || magnitude == 0) continue;
    least = std::min(least, magnitude);
    greatest = std::max(greatest, magnitude);
  }
  if (greatest == 0) return false;
  return greatest >= Traits::kArrayCutoff || least < Traits::Round(1e-4) ||
         Traits::Round(greatest / least) > 1000;
}

template <typename T>
std::vector<std::string> FloatsToText(const std::vector<T>& elements) {
  const bool exponents = NeedsExponents(elements);
  std::vector<Parts> all;
  size_t whole_width = 0;
  size_t fraction_width = 0;
  size_t exponent_width = 0;
  bool any_finite = false;
  for (const T element : elements) {
    const double value = ToDouble(element);
    Parts& parts = all.emplace_back();
    if (!std::isfinite(value)) continue;
    any_finite = true;
    const Decimal shortest = ShortestDecimal(element);
    if (exponents) {
      parts = Scientific(shortest.significant_digits() > kPrecision + 1 ? RoundToDigits(value, kPrecision)
                                                                        : shortest);
    } else {
      parts =
          Positional(shortest.fraction_digits() > kPrecision ? RoundToFraction(value, kPrecision) : shortest);
    }
    whole_width = std::max(whole_width, parts.whole.size());
    fraction_width = std::max(fraction_width, parts.fraction.size());
    exponent_width = std::max(exponent_width, parts.exponent.size());
  }
  // The point, and the "e".
  const size_t right_width = fraction_width + (any_finite ? 1 : 0) + (exponents ? exponent_width + 1 : 0);
  size_t width = whole_width + right_width;
  for (const T element : elements) {
    if (!std::isfinite(ToDouble(element))) width = std::max(width, NonFiniteToText(ToDouble(element)).size());
  }

  std::vector<std::string> texts;
  texts.reserve(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const double value = ToDouble(elements[i]);
    Parts& parts = all[i];
    std::string text;
    if (!std::isfinite(value)) {
      text = NonFiniteToText(value);
    } else if (exponents) {
      // As numpy does: an element with fewer digits than another goes on with those of its exact value.
      if (parts.fraction.size() < fraction_width) {
        parts = Scientific(RoundToDigits(value, static_cast<int>(fraction_width)));
      }
      parts.fraction.append(fraction_width - parts.fraction.size(), '0');
      parts.exponent.insert(1, exponent_width - parts.exponent.size(), '0');
      text = absl::StrCat(parts.whole, ".", parts.fraction, "e", parts.exponent);
    } else {
      parts.fraction.append(fraction_width - parts.fraction.size(), ' ');
      text = absl::StrCat(parts.whole, ".", parts.fraction);
    }
    PadLeft(text, width);
    texts.push_back(std::move(text));
  }
  return texts;
}

template <typename T>
std::string FloatToText(T element) {
  const double value = ToDouble(element);
  if (!std::isfinite(value)) return NonFiniteToText(value);
  const Decimal shortest = ShortestDecimal(element);
  const double magnitude = std::fabs(value);
  if (magnitude == 0 || (magnitude >= 1e-4 && magnitude < FloatTraits<T>::kScalarCutoff)) {
    const Parts parts = Positional(shortest);
    return absl::StrCat(parts.whole, ".", parts.fraction.empty() ? "0" : parts.fraction);
  }
  const Parts parts = Scientific(shortest);
  return absl::StrCat(parts.whole, parts.fraction.empty() ? "" : ".", parts.fraction, "e", parts.exponent);
}

template <typename T>
std::string IntegerToText(T element) {
  if constexpr (std::is_same_v<T, bool>) return element ? "True" : "False";
  return absl::StrCat(element);
}

template <typename T>
inline constexpr bool kIsInteger = std::is_integral_v<T>;

}  // namespace

std::string ScalarToText(const Array& scalar) {
  return VisitDType(scalar.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T element = scalar.As<T>().value()[0];
    if constexpr (kIsInteger<T>) {
      return IntegerToText(element);
    } else {
      return FloatToText(element);
    }
  });
}

std::vector<std::string> ElementsToText(const Array& array, const std::vector<int64_t>& offsets) {
  return VisitDType(array.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const absl::Span<const T> all = array.As<T>().value();
    if constexpr (kIsInteger<T>) {
      std::vector<std::string> texts;
      size_t width = std::is_same_v<T, bool> ? 5 : 0;  // numpy always leaves room for "False".
      for (const int64_t offset : offsets) {
        width = std::max(width, texts.emplace_back(IntegerToText(all[static_cast<size_t>(offset)])).size());
      }
      for (std::string& text : texts) PadLeft(text, width);
      return texts;
    } else {
      std::vector<T> elements;
      elements.reserve(offsets.size());
      for (const int64_t offset : offsets) elements.push_back(all[static_cast<size_t>(offset)]);
      return FloatsToText(elements);
    }
  });
}

}  // namespace stepwell::cli
