#ifndef STEPWELL_MODEL_MODEL_H_
#define STEPWELL_MODEL_MODEL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "stepwell/array/array.h"
#include "stepwell/model/state_spec.h"
#include "stepwell/storage/retention_policy.h"

namespace stepwell {

// Arrays of one call; a handful in most models.
using ArrayVector = absl::InlinedVector<Array, 4>;

// What a method computed.
struct MethodResult {
  ArrayVector outputs;  // In the order of Method::outputs().
  ArrayVector written;  // In the order of Method::writes(): the new arrays of those state positions, or rows.
};

// What one run of a method is given: as Method::Run's arguments, which must outlive it.
struct MethodCall {
  absl::Span<const Array> inputs;
  absl::Span<const Array> state;
};

// How steps of a model are gathered into one run.
struct Batching {
  int max_batch_size = 1;          // 1: each runs by itself.
  absl::Duration max_queue_delay;  // What at least two that wait already wait for more.
};

// One graph of a model, ready to run. Immutable. Thread-safe.
class Method {
 public:
  virtual ~Method() = default;

  const std::string& name() const { return name_; }
  absl::Span<const TensorSpec> inputs() const {
    return inputs_;
  }  // What a caller gives: state is not among them.
  absl::Span<const TensorSpec> outputs() const { return outputs_; }  // What a caller gets.
  absl::Span<const int> reads() const { return reads_; }             // State positions, in the graph's order.
  absl::Span<const int> writes() const { return writes_; }
  bool is_pure() const { return writes_.empty(); }
  // Whether the i-th of writes() gives rows alone, to be put behind what the state has there.
  bool appends(size_t i) const { return appends_[i]; }
  // Whether one of them does.
  bool is_growing() const { return is_growing_; }
  const Batching& batching() const { return batching_; }

  // Runs the graph on `inputs` (in the order of inputs(), already checked against their specs) and on `state`
  // (every array of the spec, by position). The arrays are passed by reference and never written. What is
  // written is checked against the state spec. INTERNAL: the runtime failed, with its message; nothing else
  // is affected.
  virtual absl::StatusOr<MethodResult> Run(absl::Span<const Array> inputs,
                                           absl::Span<const Array> state) const = 0;

  // Runs up to batching().max_batch_size (at least 1) calls, in one run of the graph where their arrays have
  // the same shapes. The results are theirs in order, each as Run's: to the bit where the graph's operators
  // compute a row alike whatever stands beside it, else within rounding. A call that fails fails alone.
  virtual std::vector<absl::StatusOr<MethodResult>> RunBatch(absl::Span<const MethodCall> calls) const = 0;

  // The running median of what Run takes, or RunBatch for `count` calls that are alike, measured on this
  // machine; zero before the first such run.
  virtual absl::Duration typical_run_time(size_t count) const = 0;

 protected:
  Method(std::string name, std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs,
         std::vector<int> reads, std::vector<int> writes, std::vector<bool> appends, const Batching& batching)
      : name_(std::move(name)),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        reads_(std::move(reads)),
        writes_(std::move(writes)),
        appends_(std::move(appends)),
        is_growing_(std::ranges::find(appends_, true) != appends_.end()),
        batching_(batching) {}

 private:
  const std::string name_;
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
  const std::vector<int> reads_;
  const std::vector<int> writes_;
  const std::vector<bool> appends_;  // For each of writes_.
  const bool is_growing_;
  const Batching batching_;
};

// One revision of a model: its methods and state spec. Immutable; whoever steps it holds a reference, so
// unloading lets running steps finish. Thread-safe.
class Model {
 public:
  // The parts of a model, as the loader found them.
  struct Parts {
    std::string name;
    int64_t revision = 1;  // 1, 2, …: a new one whenever the package's content changes.
    std::string digest;    // Of the package's content: "sha256:…".
    std::string description;
    bool check_finite = false;  // Steps fail rather than write a NaN or an infinity.
    Batching batching;
    std::optional<RetentionPolicy> retention;            // Of its snapshots; absent: what the server says.
    std::shared_ptr<const StateSpec> state_spec;         // Never null.
    std::vector<std::unique_ptr<const Method>> methods;  // In the order of the package's text.
  };

  explicit Model(Parts parts) : parts_(std::move(parts)) {}

  const std::string& name() const { return parts_.name; }
  int64_t revision() const { return parts_.revision; }
  const std::string& digest() const { return parts_.digest; }
  const std::string& description() const { return parts_.description; }
  bool check_finite() const { return parts_.check_finite; }
  const Batching& batching() const { return parts_.batching; }
  const std::optional<RetentionPolicy>& retention() const { return parts_.retention; }
  const StateSpec& state_spec() const { return *parts_.state_spec; }
  const std::shared_ptr<const StateSpec>& shared_state_spec() const { return parts_.state_spec; }
  absl::Span<const std::unique_ptr<const Method>> methods() const { return parts_.methods; }

  // NOT_FOUND (reason METHOD_NOT_FOUND) lists the methods there are.
  absl::StatusOr<const Method*> FindMethod(absl::string_view name) const;

 private:
  const Parts parts_;
};

}  // namespace stepwell

#endif  // STEPWELL_MODEL_MODEL_H_
