#ifndef STEPWELL_TESTS_CRASH_PLAN_H_
#define STEPWELL_TESTS_CRASH_PLAN_H_

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/crash/ledger.h"

namespace stepwell::testing {

// A branch that every store has, and the model of its states.
struct StandingBranch {
  std::string name;
  std::string model;
};
const std::vector<StandingBranch>& StandingBranches();

// The packages that are stepped. All begin with zeros or with nothing.
inline constexpr const char* kModels[] = {"counter", "gru", "attention_decoder"};

// What of the old goes in a run of the server, so that the store stays small, and what may be built upon.
struct Plan {
  std::vector<std::pair<int64_t, std::string>> bases;  // Versions, and their models.
  std::vector<std::vector<int64_t>> drops;             // No bases and no heads.
  std::vector<std::string> branch_deletes;             // None of the standing ones.
};

Plan MakePlan(const Ledger& ledger, int cycle, std::mt19937& random);

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_PLAN_H_
