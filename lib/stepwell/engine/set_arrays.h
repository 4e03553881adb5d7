#ifndef STEPWELL_ENGINE_SET_ARRAYS_H_
#define STEPWELL_ENGINE_SET_ARRAYS_H_

#include <string>
#include <utility>
#include <vector>

#include "stepwell/engine/transition.h"

namespace stepwell {

// Replaces some arrays of a state by given ones, or moves it to another revision of its model as it is.
class SetArrays final : public Transition {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<const Snapshot>>)>;

  SetArrays(const TransitionContext& context, SetArraysRequest&& request, std::optional<RequestKey> key,
            Callback&& done);

 private:
  absl::Status Prepare() override;
  // Nothing is computed: the arrays are there.
  absl::Duration ComputeTime() const override { return absl::Nanoseconds(1); }
  absl::StatusOr<NewVersions> Compute() override;
  const Method* method() const override { return nullptr; }
  void Finish(absl::StatusOr<std::shared_ptr<const Snapshot>> result) override {
    std::move(done_)(std::move(result));
  }

  std::vector<std::pair<Index, Array>> given_;
  const bool may_only_move_;  // To a revision, without a new array.
  Callback done_;
  WrittenArrays written_;
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_SET_ARRAYS_H_
