#ifndef STEPWELL_ENGINE_SCAN_H_
#define STEPWELL_ENGINE_SCAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "stepwell/array/buffer.h"
#include "stepwell/engine/selection.h"
#include "stepwell/engine/transition.h"

namespace stepwell {

// Runs one method on a state many times, each on what the one before made, and commits all of it as one.
class Scan final : public Transition {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<ScanResult>)>;

  // `key` is what the request is remembered under. With `done_before`, which may be null, the request is a
  // repeat: its outputs are computed again, and nothing is made.
  Scan(const TransitionContext& context, ScanRequest&& request, std::optional<RequestKey> key,
       const RequestRecord* done_before, Callback&& done);

 private:
  // Makes room for the outputs of all steps, once those of the first are known.
  absl::Status StartStacks(const MethodResult& first);
  absl::Status Stack(const MethodResult& computed, int64_t step);
  WrittenArrays TakeAppended(const absl::btree_map<int, Array>& written, std::vector<Array>& kept) const;
  absl::Status Prepare() override;
  absl::Duration ComputeTime() const override;
  absl::StatusOr<NewVersions> Compute() override;
  const Method* method() const override { return method_; }
  void Finish(absl::StatusOr<std::shared_ptr<const Snapshot>> result) override;

  ScanRequest request_;
  const std::optional<std::vector<Version>> made_before_;
  Callback done_;

  const Method* method_ = nullptr;  // Of model().
  int64_t step_count_ = 0;
  ArrayVector stacked_inputs_;  // In the method's order.
  absl::InlinedVector<int, 4> chosen_outputs_;
  std::vector<Selected> fetched_;
  std::vector<Shape> output_shapes_;  // Of one step, of the chosen outputs.
  std::vector<MutableBuffer> stacks_;
  ScanResult result_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_SCAN_H_
