#ifndef STEPWELL_TESTS_CRASH_CHECKER_H_
#define STEPWELL_TESTS_CRASH_CHECKER_H_

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/crash/ledger.h"
#include "tests/crash/stored_state.h"

namespace stepwell::testing {

struct CheckOptions {
  int cycle = 0;                 // Which run of the server it was.
  bool ended_by_itself = false;  // On SIGTERM: then everything that was answered is owed.
  bool everything = false;  // Look at every version that is owed, rather than at the newest and some others.
};

// What was seen, over all checks.
struct CheckCounts {
  int64_t sync_versions = 0;        // Answered as synced, found, and compared bit for bit.
  int64_t async_versions = 0;       // Answered otherwise and found.
  int64_t lost_versions = 0;        // Answered otherwise and lost.
  int64_t suffixes = 0;             // Ends of the server that lost some.
  int64_t unanswered_versions = 0;  // Found although the answer was lost.
  int64_t rereads = 0;              // Versions that an earlier check had found.
};

// A mutation that may be repeated, and the version that it made, if it is there.
struct Repeatable {
  Operation operation;
  std::optional<int64_t> made;
};

struct Checked {
  Ledger ledger;  // What is owed from now on.
  std::vector<Repeatable> repeatable;
};

// Holds what is stored after a start against what is owed: `before` the last run of the server, and the
// `operations` of that run, in the order in which they were begun. DATA_LOSS, saying what was owed and what
// was found, when
//
// - something that was answered as synced is not there, or not bit for bit: a version, its parent, labels and
//   pin, a branch's head, a deletion;
// - something that was answered is not there although something was that was sent later: a hole. What an
// async
//   change may lose is the end of what was done, for all clients together;
// - an operation was done by half, or twice, or was not asked for;
// - a branch has a head that nobody gave it, or none;
// - a version that was deleted or lost is there, or a version number was handed out twice;
// - what a server finds when it starts is not durable.
absl::StatusOr<Checked> Check(const Ledger& before, std::vector<Operation> operations,
                              const CheckOptions& options, StoredState& stored, std::mt19937& random,
                              CheckCounts& counts);

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_CHECKER_H_
