#include "stepwell/engine/branch_watches.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "absl/memory/memory.h"
#include "stepwell/engine/errors.h"

namespace stepwell {
namespace {

// Between two rounds of waking: what happens meanwhile is told together.
constexpr absl::Duration kWakingPause = absl::Milliseconds(1);

}  // namespace

BranchWatches::BranchWatches(Store* store, const Clock* clock, int64_t max_moves, int64_t max_watches)
    : store_(store),
      max_watches_(max_watches),
      moves_(std::max<int64_t>(absl::ToUnixMicros(clock->Now()), 1), max_moves) {
  store_->SetBranchListener(this);
}

BranchWatches::~BranchWatches() {
  store_->SetBranchListener(nullptr);
  std::thread waking;
  {
    const absl::MutexLock lock(&mutex_);
    ended_ = true;
    waking = std::move(waking_);
  }
  if (waking.joinable()) waking.join();
}

void BranchWatches::OnMove(BranchMove move) {
  moves_.Append(std::move(move));
  if (!is_awaited_.load(std::memory_order_seq_cst)) return;
  const absl::MutexLock lock(
      &mutex_);  // When it is released, the waking thread looks whether it is to go on.
  if (IsNewsOrEnd()) is_awaited_.store(false, std::memory_order_seq_cst);
}

absl::StatusOr<std::unique_ptr<BranchWatch>> BranchWatches::Open(const WatchBranchesRequest& request,
                                                                 int64_t now, std::optional<Version> head) {
  const absl::StatusOr<int64_t> start = StartAfter(request, now, head);
  if (!start.ok()) return start.status();
  if (watches_.fetch_add(1, std::memory_order_relaxed) >= max_watches_) {
    watches_.fetch_sub(1, std::memory_order_relaxed);
    return WatchLimit(max_watches_);
  }
  return absl::WrapUnique(new BranchWatch(this, request.of, *start));
}

absl::StatusOr<int64_t> BranchWatches::StartAfter(const WatchBranchesRequest& request, int64_t now,
                                                  std::optional<Version> head) const {
  if (const auto* position = std::get_if<MovePosition>(&request.after)) {
    const int64_t newest = moves_.end() - 1;
    if (position->value < moves_.begin() - 1 || position->value > newest) {
      return MovesForgotten(position->value, moves_.begin() - 1, newest);
    }
    return position->value + 1;
  }
  const auto* version = std::get_if<Version>(&request.after);
  if (version == nullptr) return now;
  std::optional<int64_t> found;
  for (MoveRing::Part part = moves_.Read(moves_.begin()); !part.moves.empty();
       part = moves_.Read(part.begin + std::ssize(part.moves))) {
    for (size_t i = 0; i < part.moves.size(); ++i) {
      const BranchMove& move = part.moves[i];
      if (move.head == *version && IsOf(request.of, move.branch)) {
        found = part.begin + static_cast<int64_t>(i);
      }
    }
  }
  if (found.has_value()) return *found + 1;
  // A branch that stands there has not moved since it came there, however long ago that was: had it moved
  // after `now` and come back before it was read, that would have been found.
  if (head == *version) return now;
  return MovesForgotten(*version);
}

bool BranchWatches::Wait(const BranchWatch* watch, int64_t position, absl::AnyInvocable<void()> callback) {
  const absl::MutexLock lock(&mutex_);
  is_awaited_.store(true, std::memory_order_seq_cst);
  if (moves_.end() > position) return false;
  awaited_ = waiting_.empty() ? position : std::min(awaited_, position);
  waiting_.insert_or_assign(watch, std::move(callback));
  if (!waking_.joinable()) waking_ = std::thread([this] { WakeWaiting(); });
  return true;
}

void BranchWatches::Close(const BranchWatch* watch) {
  watches_.fetch_sub(1, std::memory_order_relaxed);
  absl::AnyInvocable<void()> dropped;  // With what it holds, without the lock.
  const absl::MutexLock lock(&mutex_);
  const auto found = waiting_.find(watch);
  if (found == waiting_.end()) return;
  dropped = std::move(found->second);
  waiting_.erase(found);
}

bool BranchWatches::IsNewsOrEnd() const { return ended_ || (!waiting_.empty() && moves_.end() > awaited_); }

void BranchWatches::WakeWaiting() {
  while (true) {
    absl::flat_hash_map<const BranchWatch*, absl::AnyInvocable<void()>> woken;
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &BranchWatches::IsNewsOrEnd));
      if (ended_) return;
      woken.swap(waiting_);
    }
    for (auto& [watch, callback] : woken) std::move(callback)();
    woken.clear();
    const absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&ended_), kWakingPause);
  }
}

}  // namespace stepwell
