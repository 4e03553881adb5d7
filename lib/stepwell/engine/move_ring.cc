#include "stepwell/engine/move_ring.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace stepwell {

void MoveRing::Append(BranchMove move) {
  const int64_t position = end_.load(std::memory_order_relaxed);
  const size_t at = static_cast<size_t>(position - first_) % kChunkMoves;
  if (at == 0) AddChunk(position);
  (*newest_)[at] = std::move(move);
  // In one order with what says that somebody waits for this move: see BranchWatches.
  end_.store(position + 1, std::memory_order_seq_cst);
}

void MoveRing::AddChunk(int64_t position) {
  auto chunk = std::make_shared<Chunk>();
  newest_ = chunk.get();
  std::vector<std::shared_ptr<Chunk>> dropped;  // Freed without the lock.
  const absl::MutexLock lock(&mutex_);
  if (chunks_.empty()) chunks_begin_ = position;
  chunks_.push_back(std::move(chunk));
  const auto chunk_moves = static_cast<int64_t>(kChunkMoves);
  while (chunks_begin_ + chunk_moves <= Begin(position)) {
    dropped.push_back(std::move(chunks_.front()));
    chunks_.pop_front();
    chunks_begin_ += chunk_moves;
  }
}

MoveRing::Part MoveRing::Read(int64_t position) const {
  Part part;
  const absl::MutexLock lock(&mutex_);
  const int64_t end = this->end();
  part.begin = std::max(position, Begin(end));
  if (part.begin >= end) return part;
  const auto offset = static_cast<size_t>(part.begin - chunks_begin_);
  part.chunk = chunks_[offset / kChunkMoves];
  const size_t at = offset % kChunkMoves;
  const size_t count = std::min(kChunkMoves - at, static_cast<size_t>(end - part.begin));
  part.moves = absl::MakeConstSpan(*part.chunk).subspan(at, count);
  return part;
}

}  // namespace stepwell
