#ifndef STEPWELL_ENGINE_DIFF_H_
#define STEPWELL_ENGINE_DIFF_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/engine/requests.h"
#include "stepwell/engine/transition.h"

namespace stepwell {

// How one snapshot differs from another. Their records tell which arrays the two share; only others are read,
// past the cache, which they would fill with what no step asks for, and compared by a worker where that takes
// longer than waking one.
//
// A diff keeps itself alive while something is under way, and moves between threads; only reads run on
// several at a time.
class Diff : public std::enable_shared_from_this<Diff> {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<DiffSnapshotsResult>)>;

  // `from` and `to` are what request.from and request.to stand for.
  Diff(const TransitionContext& context, Version from, Version to, DiffSnapshotsRequest&& request,
       Callback&& done)
      : context_(context), request_(std::move(request)), done_(std::move(done)), from_{from}, to_{to} {}

  // Takes the first step; the last one calls `done`.
  void Start() { Open(from_, &Diff::OpenTo); }

 private:
  // One of the two snapshots.
  struct Side {
    Version version;
    std::shared_ptr<const SnapshotRecord> record;
    std::shared_ptr<const StateSpec> spec;
    std::shared_ptr<const Snapshot> cached;  // Null: its arrays have to be read.
    std::vector<std::optional<Array>> read;  // By position.

    // Null when it is not at hand.
    const Array* Find(int position) const;
    // As the state spec has it when the array is not at hand.
    ArrayType TypeOf(int position) const;
  };

  // One index, with its position in each state spec that has it.
  struct Pair {
    std::optional<int> from;
    std::optional<int> to;
  };

  void Open(Side& side, void (Diff::*next)());
  void OpenTo() { Open(to_, &Diff::Choose); }
  // Finds the indices that are asked for, then what must be read of them.
  void Choose();
  absl::Status ChoosePairs();
  // Appends what must be read to tell how the two of `pair` differ.
  void ChooseReads(const Pair& pair);
  void Read();
  void OnRead(std::optional<Array>& place, absl::StatusOr<Array> array);
  void FinishRead();
  void CompareHereOrOnPool();
  void Compare();

  bool IsShared(const Pair& pair) const;
  ArrayDiff DiffOf(const Pair& pair) const;
  void End(absl::StatusOr<DiffSnapshotsResult> result) { std::move(done_)(std::move(result)); }

  const TransitionContext& context_;
  const DiffSnapshotsRequest request_;
  Callback done_;
  Side from_;
  Side to_;
  std::vector<Pair> pairs_;                        // In the order of the answer.
  std::vector<std::pair<Side*, int>> to_be_read_;  // With the position.

  absl::Mutex mutex_;
  size_t unread_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status read_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_DIFF_H_
