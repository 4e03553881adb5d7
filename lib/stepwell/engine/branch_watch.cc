#include "stepwell/engine/branch_watch.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "stepwell/engine/branch_watches.h"
#include "stepwell/engine/move_ring.h"

namespace stepwell {

bool IsOf(const WatchedBranches& branches, absl::string_view branch) {
  if (const auto* name = std::get_if<BranchName>(&branches)) return name->value == branch;
  return absl::StartsWith(branch, std::get<BranchPrefix>(branches).value);
}

BranchWatch::~BranchWatch() { watches_->Close(this); }

std::optional<BranchNews> BranchWatch::Next(size_t max_moves) {
  BranchNews news;
  bool is_full = false;
  while (!is_full) {
    const MoveRing::Part part = watches_->moves_.Read(next_);
    if (part.begin > next_) {
      if (!news.moves.empty()) break;  // What was missed is told before what follows it.
      news.missed = {news.missed.has_value() ? news.missed->after_position : next_ - 1, part.begin - 1};
      next_ = part.begin;
    }
    if (part.moves.empty()) break;
    for (const BranchMove& move : part.moves) {
      if (IsOf(of_, move.branch)) news.moves.push_back({next_, move});
      ++next_;
      is_full = news.moves.size() == max_moves;
      if (is_full) break;
    }
  }
  news.position = next_ - 1;
  // Where only others move, a position is told often enough that moves from there on are still kept when the
  // watch is taken up again.
  const int64_t quiet_moves = std::max<int64_t>(watches_->moves_.max_moves() / 4, 1);
  const bool is_worth_telling =
      news.missed.has_value() || !news.moves.empty() || told_ < 0 || news.position - told_ >= quiet_moves;
  if (!is_worth_telling) return std::nullopt;
  told_ = news.position;
  return news;
}

bool BranchWatch::Wait(absl::AnyInvocable<void()> callback) {
  return watches_->Wait(this, next_, std::move(callback));
}

}  // namespace stepwell
