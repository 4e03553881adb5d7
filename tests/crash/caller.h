#ifndef STEPWELL_TESTS_CRASH_CALLER_H_
#define STEPWELL_TESTS_CRASH_CALLER_H_

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "stepwell/client/client.h"
#include "tests/crash/checker.h"
#include "tests/crash/journal.h"

namespace stepwell::testing {

// A client of one thread that writes down what it asks for. Each call tells whether it was answered; without
// an answer, the server is gone. Thread-compatible.
class Caller {
 public:
  // Both must outlive this.
  Caller(client::Client* client, Journal* journal, uint32_t seed)
      : client_(client), journal_(journal), random_(seed) {}

  std::mt19937& random() { return random_; }
  // True in so many cases of a hundred.
  bool Chance(unsigned percent) { return random_() % 100 < percent; }

  // An input of `step`.
  Array InputOf(const std::string& model);

  // A root, of zeros or nothing; of a counter, with that count. `branch` may be empty.
  std::optional<int64_t> Make(const std::string& model, const std::string& branch, bool sync,
                              int32_t count = 0);
  // A step on the part's branch or from its base.
  std::optional<int64_t> Step(Part part, bool sync, const std::string& request_id = "");
  // One step on each of these branches, all or none.
  bool BatchStep(const std::vector<Part>& parts, bool sync);
  // Steps on a branch, all or none; each makes a version.
  bool Scan(const std::string& model, const std::string& branch, int steps, bool sync);
  // A stream of steps on a branch.
  bool Stream(const std::string& model, const std::string& branch, int steps, bool sync);
  // Another count for a counter.
  bool Set(const std::string& branch, int32_t count, bool sync);
  bool CreateBranch(const std::string& branch, int64_t head, bool sync);
  bool MoveBranch(const std::string& branch, int64_t head, bool sync);
  bool DeleteBranch(const std::string& branch, bool sync);
  bool Note(int64_t version, const client::Labels& labels, bool pinned, bool sync);
  bool Drop(const std::vector<int64_t>& versions, bool sync);

  // Asks for the same again: what was done must be answered with the same version and `state`, and what was
  // not is done now.
  bool Repeat(const Repeatable& repeatable, const std::string& state);

 private:
  client::StepRequest RequestOf(const Operation& operation, size_t part) const;
  std::optional<int64_t> Send(Operation& operation);
  bool IsAnswered(Operation& operation, const absl::Status& status);
  bool ChangeBranch(const std::string& branch, std::optional<int64_t> head, bool is_new, bool sync);

  client::Client* const client_;
  Journal* const journal_;
  std::mt19937 random_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_CALLER_H_
