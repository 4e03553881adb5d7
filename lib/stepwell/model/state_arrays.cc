// The state arrays of a model.textproto: MakeStateArrays of model_config.h.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <type_traits>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "stepwell/model/index_path.h"
#include "stepwell/model/model_config.h"
#include "stepwell/model/safetensors.h"

namespace stepwell {
namespace {

// `value` as a T: rounded to the nearest for floating-point types, exact for others; nothing when out of
// range.
template <typename T>
std::optional<T> Represent(double value) {
  if constexpr (std::is_same_v<T, double>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (value != 0 && value != 1) return std::nullopt;
    return value == 1;
  } else if constexpr (std::is_integral_v<T>) {
    // Both bounds are powers of two (or 0), thus exact as doubles; the type's own maximum may not be.
    const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
    const double begin = std::is_signed_v<T> ? -end : 0.0;
    if (std::trunc(value) != value || value < begin || value >= end) return std::nullopt;
    return static_cast<T>(value);
  } else {
    const auto number = static_cast<float>(value);
    T rounded;
    float back = number;
    if constexpr (std::is_same_v<T, Float16>) {
      back = ToFloat(rounded = ToFloat16(number));
    } else if constexpr (std::is_same_v<T, BFloat16>) {
      back = ToFloat(rounded = ToBFloat16(number));
    } else {
      rounded = number;
    }
    if (std::isinf(back) && !std::isinf(value)) return std::nullopt;
    return rounded;
  }
}

// All elements `value`, or nothing when the dtype has no such number.
std::optional<Array> MakeConstant(DType dtype, const Shape& shape, double value) {
  return VisitDType(dtype, [&](auto element) -> std::optional<Array> {
    using T = decltype(element);
    const std::optional<T> number = Represent<T>(value);
    if (!number.has_value()) return std::nullopt;
    MutableBuffer buffer = MutableBuffer::Allocate(static_cast<size_t>(shape.ByteCount(dtype)));
    std::fill_n(reinterpret_cast<T*>(buffer.data()), shape.element_count(), *number);
    return Array::Unchecked(dtype, shape, std::move(buffer).Freeze());
  });
}

// Up to eight names, and how many there are beside.
std::string ListNames(const Safetensors& tensors) {
  if (tensors.empty()) return "none";
  constexpr size_t kMaxListed = 8;
  std::vector<absl::string_view> names;
  for (const auto& [name, array] : tensors) {
    if (names.size() == kMaxListed) break;
    names.push_back(name);
  }
  const size_t more = tensors.size() - names.size();
  return absl::StrCat(absl::StrJoin(names, ", "), more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

// Makes the specs of one config. Thread-compatible.
class StateArrayMaker {
 public:
  StateArrayMaker(const Package& package, Issues& issues) : package_(package), issues_(issues) {}

  // The dtype and dimensions of `config`, or nothing after an issue.
  std::optional<TensorSpec> MakeTensor(const std::string& place, const model::StateArray& config) {
    TensorSpec spec{config.index(), static_cast<DType>(config.dtype()), {}};
    bool right = true;
    if (config.dtype() < model::BOOL || config.dtype() > model::FLOAT64) {
      issues_.Add(place, "has no dtype; expected one such as FLOAT32");
      right = false;
    }
    for (const int64_t extent : config.shape()) {
      spec.dims.push_back({extent, ""});
      if (extent >= Dim::kDynamic) continue;
      issues_.Add(place, "shape has the dimension ", extent, "; expected 0 or more, or -1 for a dynamic one");
      right = false;
    }
    if (!right) return std::nullopt;
    if (absl::StatusOr<Shape> smallest = InitialShape(spec); !smallest.ok()) {
      issues_.Add(place, smallest.status().message());
      return std::nullopt;
    }
    return spec;
  }

  InitialValue MakeInitial(const std::string& place, const model::StateArray& config,
                           const TensorSpec& spec) {
    switch (config.initial_case()) {
      case model::StateArray::kGiven:
        return GivenAtMakeState();
      case model::StateArray::kRngKey:
        if (spec.dtype != DType::kUInt32 || spec.dims != std::vector<Dim>{{2, ""}}) {
          issues_.Add(place, "is ", spec.ToString(), "; an rng_key is uint32 (2)");
        }
        return RngKey();
      case model::StateArray::kFile:
        return ReadInitial(place, config, spec);
      case model::StateArray::kConstant:
        return MakeFilled(place, spec, config.constant().value());
      case model::StateArray::kZeros:
      case model::StateArray::INITIAL_NOT_SET:
        break;
    }
    return MakeFilled(place, spec, 0);
  }

 private:
  static absl::StatusOr<Shape> InitialShape(const TensorSpec& spec) {
    std::vector<int64_t> extents;
    for (const Dim& dim : spec.dims) extents.push_back(dim.is_dynamic() ? 0 : dim.extent);
    return Shape::Make(extents);
  }

  InitialValue MakeFilled(const std::string& place, const TensorSpec& spec, double value) {
    std::optional<Array> array = MakeConstant(spec.dtype, *InitialShape(spec), value);
    if (array.has_value()) return *std::move(array);
    issues_.Add(place, "constant ", value, " is no ", DTypeName(spec.dtype),
                "; expected a number of that dtype");
    return GivenAtMakeState();
  }

  InitialValue ReadInitial(const std::string& place, const model::StateArray& config,
                           const TensorSpec& spec) {
    const std::string& path = config.file().path();
    auto [file, is_new] = files_.try_emplace(path);
    if (is_new) file->second = ReadFile(path);
    if (!file->second.ok()) {
      issues_.Add(place, "initial file \"", absl::CHexEscape(path), "\": ", file->second.status().message());
      return GivenAtMakeState();
    }
    const Safetensors& tensors = *file->second;
    const std::string& name = config.file().tensor().empty() ? config.index() : config.file().tensor();
    const auto tensor = tensors.find(name);
    if (tensor == tensors.end()) {
      issues_.Add(place, "\"", path, "\" has no tensor \"", absl::CHexEscape(name), "\"; it has ",
                  ListNames(tensors));
      return GivenAtMakeState();
    }
    const absl::Status fits =
        spec.Check(absl::StrCat("tensor \"", name, "\" of \"", path, "\" for index"), tensor->second);
    if (!fits.ok()) issues_.Add(place, fits.message());
    return tensor->second;
  }

  absl::StatusOr<Safetensors> ReadFile(const std::string& path) const {
    const absl::StatusOr<std::filesystem::path> found = package_.Find(path);
    if (!found.ok()) return found.status();
    return ReadSafetensors(*found);
  }

  const Package& package_;
  Issues& issues_;
  std::map<std::string, absl::StatusOr<Safetensors>> files_;  // By path.
};

}  // namespace

StateArrays MakeStateArrays(const ConfigText& text, const Package& package, Issues& issues) {
  StateArrays made;
  StateArrayMaker maker(package, issues);
  absl::flat_hash_set<std::string> seen;
  for (int i = 0; i < text.config.state_size(); ++i) {
    const model::StateArray& config = text.config.state(i);
    const std::string place = text.StatePlace(i);
    if (const absl::Status syntax = CheckIndexPath(config.index()); !syntax.ok()) {
      issues.Add(place, syntax.message());
      continue;
    }
    if (!seen.insert(config.index()).second) {
      issues.Add(place, "the index is declared already; expected each index once");
      continue;
    }
    std::optional<TensorSpec> tensor = maker.MakeTensor(place, config);
    if (!tensor.has_value()) {
      made.without_type.insert(config.index());
      continue;
    }
    InitialValue initial = maker.MakeInitial(place, config, *tensor);
    made.arrays.push_back({*std::move(tensor), std::move(initial)});
  }
  return made;
}

}  // namespace stepwell
