#ifndef STEPWELL_TESTS_CRASH_BRANCH_CHECK_H_
#define STEPWELL_TESTS_CRASH_BRANCH_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace stepwell::testing {

// A change of a branch that was asked for.
struct BranchWrite {
  size_t operation = 0;
  std::optional<bool> made;       // Whether its version was found; nothing: it makes none.
  std::optional<int64_t> head;    // What became the head, if it was done; nothing: the branch was deleted.
  std::optional<int64_t> parent;  // Of the version that was found,
  bool follows_head = false;      // and whether that must be the head before.
};

// How many of a branch's changes were done, at least and at most: a delete and a head that was there before
// leave no trace of their own.
struct DoneWrites {
  size_t at_least = 0;
  size_t at_most = 0;
};

// Which of the `writes`, one after the other, lead from the head `before` to that which was `found`.
// DATA_LOSS, when no number of them does, one is not there while a later one is, or a version was made from
// another head than the one before.
absl::StatusOr<DoneWrites> FollowBranch(const std::string& branch, std::optional<int64_t> before,
                                        std::optional<int64_t> found, const std::vector<BranchWrite>& writes);

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_BRANCH_CHECK_H_
