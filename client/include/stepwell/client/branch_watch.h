#ifndef STEPWELL_CLIENT_BRANCH_WATCH_H_
#define STEPWELL_CLIENT_BRANCH_WATCH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "stepwell/client/types.h"

namespace stepwell::client {

class Client;

namespace internal {
class ResumingWatch;
}  // namespace internal

/// Every branch whose name starts so, also those to come; "" is all.
struct BranchPrefix {
  std::string value;
};

/// The place of a move among the moves of all branches, in the order of commits.
struct MovePosition {
  int64_t value = 0;
};

/// Which branches to watch, and from where on.
struct WatchBranchesRequest {
  std::variant<BranchName, BranchPrefix> branches = BranchPrefix{};  ///< They need not exist.
  /// After the last move to a version (the head of the one branch will always do), or after a position that
  /// an earlier watch told. Neither: from now on.
  std::variant<std::monostate, Version, MovePosition> after;
  bool resume = true;  ///< Go on by itself after the connection broke.
};

/// A branch points to another version now.
struct BranchMove {
  std::string branch;
  std::optional<Version> head;           ///< The new one; absent: the branch was deleted, or has expired.
  std::optional<Version> previous_head;  ///< Absent: the branch was created.
  absl::Time time;
  int64_t position = 0;
};

/// Moves that will not be told, perhaps of branches that are not watched: the server had forgotten them, or
/// has been started anew. Read the heads again; the moves that follow may have been made before that.
struct MissedMoves {
  int64_t after_position = 0;  ///< The position of the first, less one.
  int64_t until_position = 0;  ///< The position of the last.
};

using BranchEvent = std::variant<BranchMove, MissedMoves>;

/// Follows branches: every move of their heads, in order, each once.
///
///     auto watch = client->WatchBranches({.branches = BranchPrefix{"ward/"}});
///     // Heads that are read now, with ListBranches, fit the events that follow: nothing falls between.
///     while (true) {
///       auto event = (*watch)->Next();
///       if (!event.ok()) break;
///       if (const auto* move = std::get_if<BranchMove>(&*event)) …
///       else …  // MissedMoves: read the heads again.
///     }
///
/// When the connection breaks or the server stops (UNAVAILABLE), Next connects again, with the pauses of
/// RetryOptions, for as long as CallOptions::timeout says since the break (with max_attempts 1, never), and
/// goes on after the last event; where the server does not remember that far any more, with MissedMoves. So
/// does it while the server has no place for it (WATCH_LIMIT), since that may be its own of before. What is
/// not read waits at the server, for as long as that remembers it. One thread at a time may be in Next;
/// Cancel may be called by any. Must not outlive its Client.
class BranchWatch {
 public:
  /// Ends the watch. Nobody may be in a call of this.
  ~BranchWatch();
  BranchWatch(const BranchWatch&) = delete;
  BranchWatch& operator=(const BranchWatch&) = delete;

  /// Waits for the next event. DEADLINE_EXCEEDED: there was none for as long as `timeout`, and the watch goes
  /// on. Any other error is what the watch has ended with, such as CANCELLED, or UNAVAILABLE once the
  /// time is over.
  absl::StatusOr<BranchEvent> Next(absl::Duration timeout = absl::InfiniteDuration());

  /// Where a later watch would go on after what Next has returned: keep it to take up the watch in another
  /// process. Not to be called while another thread is in Next.
  MovePosition position() const;

  /// Ends the watch: Next returns CANCELLED, also where it waits now.
  void Cancel();

 private:
  friend class Client;
  explicit BranchWatch(std::unique_ptr<internal::ResumingWatch> watch);

  const std::unique_ptr<internal::ResumingWatch> watch_;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_BRANCH_WATCH_H_
