#ifndef STEPWELL_ENGINE_BRANCH_WATCHES_H_
#define STEPWELL_ENGINE_BRANCH_WATCHES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "stepwell/base/clock.h"
#include "stepwell/engine/branch_watch.h"
#include "stepwell/engine/move_ring.h"
#include "stepwell/engine/requests.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// Writes down the moves of a store's branches and lets any number of watches read them. What a commit pays
// for is one place in a ring and a look at whether somebody waits: watches read by themselves, and those that
// wait are called by a thread of this, at most once a millisecond, so that a commit that has something to
// tell rarely wakes it. Thread-safe.
class BranchWatches final : public BranchListener {
 public:
  // `store` is not owned, and must outlive this. At most `max_watches` are open at a time, and the last
  // `max_moves` are kept. Positions count on from the microseconds of the clock, so that those of an earlier
  // process are smaller than all of this one.
  BranchWatches(Store* store, const Clock* clock, int64_t max_moves, int64_t max_watches);
  ~BranchWatches() override;

  // The watch that `request` asks for, from `now` on unless it says where to start; `head` is where the
  // branch of that name stood after `now`, if it was there. Takes long, where a version must be looked for.
  // OUT_OF_RANGE (MOVES_FORGOTTEN). RESOURCE_EXHAUSTED (WATCH_LIMIT).
  absl::StatusOr<std::unique_ptr<BranchWatch>> Open(const WatchBranchesRequest& request, int64_t now,
                                                    std::optional<Version> head);

  // The position of the next move.
  int64_t now() const { return moves_.end(); }

  void OnMove(BranchMove move) override;

 private:
  friend class BranchWatch;

  // Calls `callback` once there is a move at `position` or later; false: there is one, and `callback` is
  // dropped. A watch has one at a time.
  bool Wait(const BranchWatch* watch, int64_t position, absl::AnyInvocable<void()> callback)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Close(const BranchWatch* watch) ABSL_LOCKS_EXCLUDED(mutex_);

  // Where a watch starts that goes on after a version or a position.
  absl::StatusOr<int64_t> StartAfter(const WatchBranchesRequest& request, int64_t now,
                                     std::optional<Version> head) const;

  void WakeWaiting() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsNewsOrEnd() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  Store* const store_;
  const int64_t max_watches_;
  MoveRing moves_;
  std::atomic<int64_t> watches_ = 0;
  // The waking thread is to be told of the next move. A watch sets this and then looks for moves; a commit
  // adds its move and then looks at this: one of the two sees the other.
  std::atomic<bool> is_awaited_ = false;

  absl::Mutex mutex_;
  absl::flat_hash_map<const BranchWatch*, absl::AnyInvocable<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  int64_t awaited_ ABSL_GUARDED_BY(mutex_) = 0;  // The first position that one of them waits for.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread waking_ ABSL_GUARDED_BY(mutex_);  // Runs from the first wait on.
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_BRANCH_WATCHES_H_
