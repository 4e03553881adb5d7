#ifndef STEPWELL_CLIENT_SRC_STREAM_HISTORY_H_
#define STEPWELL_CLIENT_SRC_STREAM_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "stepwell/client/client.h"
#include "stepwell/client/stream.h"

namespace stepwell::client::internal {

// What the history of a branch tells of a stream whose answers were lost: which of its steps were committed,
// and what they answered. Thread-compatible.
class StreamHistory {
 public:
  // `client` must outlive this. Calls are made with `call`.
  StreamHistory(Client* client, std::string branch, const CallOptions& call);

  // The label of the stream's step with that number.
  static constexpr char kLabel[] = "stepwell.stream";
  std::string LabelOf(int64_t number) const;

  // The snapshots that the stream's steps made after `last`, the oldest first; at most `limit` are looked
  // for. None also when the branch does not descend from `last` any more.
  struct Committed {
    int64_t number = 0;  // Of the step.
    v1::Snapshot snapshot;
  };
  struct Found {
    std::vector<Committed> committed;
    bool moved_by_others = false;  // Something else has moved the branch since.
  };
  absl::StatusOr<Found> Read(Version last, size_t limit);

  // What the step that made `committed` answered, or an error that IsUnknown.
  absl::StatusOr<StepResult> Replay(const StreamStep& step, const v1::Snapshot& committed);

  // What a step answered that started from the same version as the one that made `next`, and made none; or an
  // error that IsUnknown.
  absl::StatusOr<StepResult> ReplayUncommitted(const StreamStep& step, const v1::Snapshot& next);

  // Whether the error is no answer to the step: the server could not be asked.
  static bool IsUnknown(const absl::Status& status);

 private:
  std::optional<int64_t> NumberOf(const v1::Snapshot& snapshot) const;
  absl::StatusOr<StepResult> Compute(const StreamStep& step, Version base, const RevisionChoice& revision);
  absl::StatusOr<bool> IsPure(const ModelRef& model, const std::string& method);

  Client* const client_;
  const std::string branch_;
  const CallOptions call_;
  const std::string id_;  // Of the stream.
};

}  // namespace stepwell::client::internal

#endif  // STEPWELL_CLIENT_SRC_STREAM_HISTORY_H_
