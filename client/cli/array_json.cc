#include "client/cli/array_json.h"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/decimal.h"
#include "client/cli/error.h"

namespace stepwell::cli {
namespace {

constexpr char kNaN[] = "NaN";
constexpr char kInfinity[] = "Infinity";
constexpr char kMinusInfinity[] = "-Infinity";

// The same text with bare NaN, Infinity and -Infinity as strings.
std::string QuoteNonFinite(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    if (in_string && text[i] == '\\' && i + 1 < text.size()) {
      out.append(text.data() + i, 2);
      i += 2;
      continue;
    }
    if (text[i] == '"') in_string = !in_string;
    absl::string_view word;
    if (!in_string) {
      for (const absl::string_view candidate : {kNaN, kInfinity, kMinusInfinity}) {
        if (text.substr(i, candidate.size()) == candidate) word = candidate;
      }
    }
    if (word.empty()) {
      out += text[i++];
    } else {
      absl::StrAppend(&out, "\"", word, "\"");
      i += word.size();
    }
  }
  return out;
}

std::optional<double> NonFinite(const Json& value) {
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (text == kNaN) return std::numeric_limits<double>::quiet_NaN();
  if (text == kInfinity) return std::numeric_limits<double>::infinity();
  if (text == kMinusInfinity) return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

template <typename T>
inline constexpr bool kIsFloat =
    std::is_floating_point_v<T> || std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

std::optional<bool> ToElement(const Json& value, bool) {
  if (!value.is_boolean()) return std::nullopt;
  return value.get<bool>();
}

template <typename T>
std::optional<T> ToElement(const Json& value, T) requires std::is_integral_v<T> {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number <= static_cast<uint64_t>(std::numeric_limits<T>::max())) return static_cast<T>(number);
  } else if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();  // Negative: others are unsigned.
    if (std::is_signed_v<T> && number >= static_cast<int64_t>(std::numeric_limits<T>::min())) {
      return static_cast<T>(number);
    }
  } else if (value.is_number_float()) {
    // 1.0 and 1e3 are whole numbers; beyond 2^53 a double might stand for its neighbour.
    const auto number = value.get<double>();
    if (number == std::trunc(number) && std::fabs(number) <= 0x1p53 &&
        number >= static_cast<double>(std::numeric_limits<T>::min()) &&
        number <= static_cast<double>(std::numeric_limits<T>::max())) {
      return static_cast<T>(number);
    }
  }
  return std::nullopt;
}

template <typename T>
std::optional<T> ToElement(const Json& value, T) requires kIsFloat<T> {
  const std::optional<double> special = NonFinite(value);
  if (!special.has_value() && !value.is_number()) return std::nullopt;
  const double number = special.has_value() ? *special : value.get<double>();
  T element;
  if constexpr (std::is_same_v<T, Float16>) {
    element = ToFloat16(static_cast<float>(number));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    element = ToBFloat16(static_cast<float>(number));
  } else {
    element = static_cast<T>(number);
  }
  if (std::isfinite(number) && !std::isfinite(ToDouble(element))) return std::nullopt;
  return element;
}

absl::string_view Expected(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return "true or false";
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kFloat32:
    case DType::kFloat64:
      return "a number within its range, \"NaN\", \"Infinity\" or \"-Infinity\"";
    default:
      return "a whole number within its range";
  }
}

// Turns nested lists into the elements of one array. Thread-compatible.
template <typename T>
class ListReader {
 public:
  // The shape, told by the first element of each axis, and by `spec` within empty lists.
  absl::Status ReadShape(const Json& value, const v1::TensorSpec& spec) {
    const Json* list = &value;
    while (list->is_array()) {
      if (dims_.size() == static_cast<size_t>(Shape::kMaxRank)) {
        return BadInput(absl::StrCat("lists nested deeper than ", Shape::kMaxRank));
      }
      dims_.push_back(static_cast<int64_t>(list->size()));
      if (list->empty()) break;
      list = &list->front();
    }
    if (list->is_array()) {
      for (int axis = static_cast<int>(dims_.size()); axis < spec.shape_size(); ++axis) {
        dims_.push_back(std::max<int64_t>(spec.shape(axis).extent(), 0));
      }
      empty_ = true;
    }
    return absl::OkStatus();
  }

  absl::Status Read(const Json& value, size_t axis = 0) {
    const bool is_list = axis < dims_.size() && !(empty_ && axis > 0 && dims_[axis - 1] == 0);
    if (!is_list) return ReadElement(value);
    if (!value.is_array() || static_cast<int64_t>(value.size()) != dims_[axis]) {
      return BadInput(absl::StrCat(Place(),
                                   value.is_array() ? absl::StrCat("a list of ", value.size()) : Quote(value),
                                   "; expected a list of ", dims_[axis], ", as the lists beside it are"));
    }
    for (size_t i = 0; i < value.size(); ++i) {
      place_.push_back(i);
      const absl::Status status = Read(value[i], axis + 1);
      if (!status.ok()) return status;
      place_.pop_back();
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Array> Finish() {
    const Buffer data =
        Buffer::Copy({reinterpret_cast<const std::byte*>(elements_.data()), elements_.size() * sizeof(T)});
    const absl::StatusOr<Array> array = Array::Make(kDTypeOf<T>, dims_, data);
    if (!array.ok()) return BadInput(array.status().message());
    return array;
  }

 private:
  // bool has no addressable vector of its own.
  using Element = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

  absl::Status ReadElement(const Json& value) {
    const std::optional<T> element = ToElement(value, T{});
    if (element.has_value()) {
      elements_.push_back(static_cast<Element>(*element));
      return absl::OkStatus();
    }
    if (value.is_array()) {
      return BadInput(absl::StrCat(Place(), "a list of ", value.size(), "; expected ", Expected(kDTypeOf<T>),
                                   ", as the elements beside it are"));
    }
    return BadInput(absl::StrCat(Place(), Quote(value), ", which does not fit ", DTypeName(kDTypeOf<T>),
                                 "; expected ", Expected(kDTypeOf<T>)));
  }

  std::string Place() const {
    return place_.empty() ? "the value is " : absl::StrCat("element [", absl::StrJoin(place_, ", "), "] is ");
  }
  static std::string Quote(const Json& value) {
    constexpr size_t kLongest = 60;
    const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return text.size() <= kLongest ? text : absl::StrCat(text.substr(0, kLongest), "...");
  }

  std::vector<int64_t> dims_;
  bool empty_ = false;
  std::vector<Element> elements_;
  std::vector<size_t> place_;
};

template <typename T>
Json ElementToJson(T element) {
  if constexpr (kIsFloat<T>) {
    const double value = ToDouble(element);
    if (std::isnan(value)) return kNaN;
    if (std::isinf(value)) return value > 0 ? kInfinity : kMinusInfinity;
    if constexpr (std::is_same_v<T, double>) return value;
    // The JSON writer gives a double its own fewest digits: those of the double that has the element's.
    double same_digits;
    if (!absl::SimpleAtod(ShortestDecimal(element).ToScientific(), &same_digits)) return value;
    return same_digits;
  } else {
    return element;
  }
}

template <typename T>
Json ListToJson(const T* elements, const Shape& shape, int axis, int64_t& at) {
  if (axis == shape.rank()) return ElementToJson(elements[at++]);
  Json list = Json::array();
  for (int64_t i = 0; i < shape[axis]; ++i) list.push_back(ListToJson(elements, shape, axis + 1, at));
  return list;
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text) {
  try {
    return Json::parse(QuoteNonFinite(text));
  } catch (const Json::exception& error) {
    // The library's message, without the name and number of its exception.
    absl::string_view what = error.what();
    const size_t end = what.find("] ");
    if (end != absl::string_view::npos) what.remove_prefix(end + 2);
    return BadInput(absl::StrCat("no JSON: ", what));
  }
}

absl::StatusOr<Array> ArrayFromJson(const Json& value, const v1::TensorSpec& spec) {
  if (!v1::DType_IsValid(spec.dtype()) || spec.dtype() == v1::DTYPE_UNSPECIFIED) {
    return absl::InternalError(absl::StrCat("the server describes \"", spec.name(), "\" without a dtype"));
  }
  return VisitDType(static_cast<DType>(spec.dtype()), [&](auto element) -> absl::StatusOr<Array> {
    ListReader<decltype(element)> reader;
    absl::Status status = reader.ReadShape(value, spec);
    if (status.ok()) status = reader.Read(value);
    if (!status.ok()) return status;
    return reader.Finish();
  });
}

Json ArrayToJson(const Array& array) {
  return VisitDType(array.dtype(), [&](auto element) {
    int64_t at = 0;
    return ListToJson(array.As<decltype(element)>().value().data(), array.shape(), 0, at);
  });
}

}  // namespace stepwell::cli
