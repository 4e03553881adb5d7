#ifndef STEPWELL_ENGINE_BRANCH_WATCH_H_
#define STEPWELL_ENGINE_BRANCH_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "stepwell/engine/requests.h"
#include "stepwell/storage/store.h"

namespace stepwell {

class BranchWatches;

// What a watch has to tell.
struct BranchNews {
  struct Move {
    int64_t position = 0;
    BranchMove move;
  };
  // Moves after one position and up to another one, of any branches, are forgotten. They were before `moves`.
  struct Missed {
    int64_t after_position = 0;
    int64_t until_position = 0;
  };
  std::optional<Missed> missed;
  std::vector<Move> moves;  // In their order.
  int64_t position = 0;     // Every move up to here has now been told, was missed, or is of another branch.
};

// Reads the moves of some branches, from one position on: no more than a place in what is kept anyway, so
// that one that is not read costs nothing. Thread-compatible; must not outlive its engine.
class BranchWatch {
 public:
  ~BranchWatch();
  BranchWatch(const BranchWatch&) = delete;
  BranchWatch& operator=(const BranchWatch&) = delete;

  // What there is to tell now, with at most `max_moves` moves. The first time it tells where the watch
  // starts; later, when only other branches have moved, it now and then tells a position without any move.
  // Nothing: see Wait.
  std::optional<BranchNews> Next(size_t max_moves);

  // Calls `callback` once when Next is worth a call, on another thread, perhaps after this has gone. False:
  // it is now, and `callback` is dropped. Replaces the one before.
  bool Wait(absl::AnyInvocable<void()> callback);

 private:
  friend class BranchWatches;
  BranchWatch(BranchWatches* watches, WatchedBranches of, int64_t start)
      : watches_(watches), of_(std::move(of)), next_(start) {}

  BranchWatches* const watches_;
  const WatchedBranches of_;
  int64_t next_;       // The position to read next.
  int64_t told_ = -1;  // The last position that was told.
};

// Whether `branch` is one of those.
bool IsOf(const WatchedBranches& branches, absl::string_view branch);

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_BRANCH_WATCH_H_
