#ifndef STEPWELL_TESTS_CRASH_CHECKING_H_
#define STEPWELL_TESTS_CRASH_CHECKING_H_

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tests/crash/branch_check.h"
#include "tests/crash/checker.h"

// One check, as checker.h says: which operations were done, then whether what they made is as it must be.
namespace stepwell::testing {

template <typename... Parts>
absl::Status Violation(const Parts&... parts) {
  return absl::DataLossError(absl::StrCat(parts...));
}

std::string TextOf(const std::optional<int64_t>& version);
std::string TextOf(const client::Labels& labels);

class Checking {
 public:
  Checking(const Ledger& before, std::vector<Operation> operations, const CheckOptions& options,
           StoredState& stored, std::mt19937& random, CheckCounts& counts)
      : before_(before),
        operations_(std::move(operations)),
        options_(options),
        stored_(stored),
        random_(random),
        counts_(counts),
        done_(operations_.size(), Done::kUnknown) {}

  absl::StatusOr<Checked> Run();

 private:
  enum class Done { kUnknown, kYes, kNo };
  struct Made {
    FoundSnapshot snapshot;
    size_t operation = 0;
    size_t part = 0;
    std::string state;  // That it must have.
  };

  std::string Describe(size_t operation) const;

  // Which operation and part of it a new snapshot belongs to.
  absl::Status Claim(const FoundSnapshot& snapshot);
  absl::Status FindVersions();
  absl::Status FindNotes();
  absl::Status FindDrops();
  absl::Status FindBranches();
  std::vector<BranchWrite> WritesOf(const std::string& branch) const;
  absl::Status HoldWhatIsOwed();
  absl::Status CompareStates();
  absl::Status Settle();
  absl::Status Reread();
  const std::string* StateOf(int64_t version) const;

  const Ledger& before_;
  const std::vector<Operation> operations_;
  const CheckOptions options_;
  StoredState& stored_;
  std::mt19937& random_;
  CheckCounts& counts_;

  std::vector<Done> done_;                   // By operation.
  std::map<int64_t, size_t> by_id_;          // Operations.
  std::vector<std::vector<int64_t>> made_;   // By operation and part: the version; 0: none was found.
  std::map<int64_t, Made> found_;            // New versions.
  std::map<int64_t, FoundSnapshot> noted_;   // Those with other labels or pins.
  std::map<std::string, int64_t> branches_;  // As they were found.
  Checked checked_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_CHECKING_H_
