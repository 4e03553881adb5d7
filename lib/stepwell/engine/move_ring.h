#ifndef STEPWELL_ENGINE_MOVE_RING_H_
#define STEPWELL_ENGINE_MOVE_RING_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "stepwell/storage/store.h"

namespace stepwell {

// The last moves of branches, each under its position: the number of the move before, and one. Adding a move
// takes no lock, but for one in kChunkMoves, and allocates nothing, but for the chunk that takes the next of
// them. Thread-safe; only one thread at a time may Append.
class MoveRing {
 public:
  static constexpr size_t kChunkMoves = 256;
  using Chunk = std::array<BranchMove, kChunkMoves>;

  // Moves that follow each other, the first of them under `begin`. They stay as long as this does.
  struct Part {
    std::shared_ptr<const Chunk> chunk;
    int64_t begin = 0;
    absl::Span<const BranchMove> moves;
  };

  // The first move will have the position `first`. The last `max_moves` (at least 1) are kept.
  MoveRing(int64_t first, int64_t max_moves) : first_(first), max_moves_(max_moves), end_(first) {}

  void Append(BranchMove move) ABSL_LOCKS_EXCLUDED(mutex_);

  // The positions of the oldest move that is kept, and of the next one that will be added.
  int64_t begin() const { return Begin(end()); }
  int64_t end() const { return end_.load(std::memory_order_seq_cst); }
  int64_t max_moves() const { return max_moves_; }

  // Moves from `position` on, or from the oldest that is kept, where that is later; as many as lie together.
  // None: they are still to come.
  Part Read(int64_t position) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  int64_t Begin(int64_t end) const { return end - first_ > max_moves_ ? end - max_moves_ : first_; }
  // Makes room for the move at `position`, and drops what need not be kept.
  void AddChunk(int64_t position) ABSL_LOCKS_EXCLUDED(mutex_);

  const int64_t first_;
  const int64_t max_moves_;
  std::atomic<int64_t> end_;  // What is before it does not change any more.
  Chunk* newest_ = nullptr;   // For Append alone.

  mutable absl::Mutex mutex_;
  std::deque<std::shared_ptr<Chunk>> chunks_ ABSL_GUARDED_BY(mutex_);
  int64_t chunks_begin_ ABSL_GUARDED_BY(mutex_) = 0;  // The position of the first move of the first of them.
};

}  // namespace stepwell

#endif  // STEPWELL_ENGINE_MOVE_RING_H_
