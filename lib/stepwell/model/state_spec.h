#ifndef STEPWELL_MODEL_STATE_SPEC_H_
#define STEPWELL_MODEL_STATE_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "stepwell/array/array.h"

namespace stepwell {

// One extent of a declared shape: fixed, or dynamic, and then perhaps with a name.
struct Dim {
  static constexpr int64_t kDynamic = -1;
  int64_t extent = kDynamic;
  std::string name;  // Of a dynamic dimension, as the graph names it; may be empty.

  bool is_dynamic() const { return extent == kDynamic; }
  friend bool operator==(const Dim&, const Dim&) = default;
};

// What an array must be: an input or output of a method, or a state array.
struct TensorSpec {
  std::string name;  // An input's or output's name; a state array's index.
  DType dtype = DType::kFloat32;
  std::vector<Dim> dims;

  // INVALID_ARGUMENT: `array` does not fit. The message is `what` ("input"), the name, the value and what was
  // expected.
  absl::Status Check(absl::string_view what, const Array& array) const;

  // "float32 (batch, 4)"; a nameless dynamic dimension is "?".
  std::string ToString() const;
};

// How a state array starts.
struct GivenAtMakeState {};  // MakeState must be given the array.
struct RngKey {};  // uint32[2]: high and low half of the seed given at MakeState, as jax.random.PRNGKey.
using InitialValue = std::variant<Array, GivenAtMakeState, RngKey>;

struct StateArraySpec {
  TensorSpec tensor;  // `tensor.name` is the index.
  InitialValue initial;
};

// The ordered indices of a model. Immutable. Thread-safe.
class StateSpec {
 public:
  StateSpec() = default;
  // `arrays` have distinct, well-formed indices (ParseModelConfig sees to it).
  explicit StateSpec(std::vector<StateArraySpec> arrays);

  int size() const { return static_cast<int>(arrays_.size()); }
  const StateArraySpec& operator[](int position) const { return arrays_[static_cast<size_t>(position)]; }
  absl::Span<const StateArraySpec> arrays() const { return arrays_; }

  // The position of `index`, or nothing.
  std::optional<int> Find(absl::string_view index) const;

  // Position of `index`. NOT_FOUND (reason INDEX_NOT_FOUND) names the model's nearest indices;
  // INVALID_ARGUMENT when `index` is not a key path at all.
  absl::StatusOr<int> Position(absl::string_view index) const;

  // OUT_OF_RANGE unless 0 <= position < size().
  absl::Status CheckPosition(int64_t position) const;

  // Positions of `path` itself and of every index below it, in spec order: "layers[0]" takes
  // "layers[0].norm.mean" but not "layers[01]" or "layers[0]x". "" takes all. NOT_FOUND (INDEX_NOT_FOUND)
  // when there is none.
  absl::StatusOr<std::vector<int>> Subtree(absl::string_view path) const;

  // The arrays of a new root: initial values, replaced by `given` (by index). INVALID_ARGUMENT: an array that
  // does not fit, is given twice, is missing though declared `given`, or an RNG key without `rng_seed`.
  // NOT_FOUND: no such index.
  absl::StatusOr<std::vector<Array>> MakeInitial(absl::Span<const std::pair<std::string, Array>> given,
                                                 std::optional<uint64_t> rng_seed) const;

 private:
  std::vector<StateArraySpec> arrays_;
  absl::flat_hash_map<std::string, int> positions_;
};

}  // namespace stepwell

#endif  // STEPWELL_MODEL_STATE_SPEC_H_
