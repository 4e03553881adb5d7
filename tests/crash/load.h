#ifndef STEPWELL_TESTS_CRASH_LOAD_H_
#define STEPWELL_TESTS_CRASH_LOAD_H_

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "stepwell/client/client.h"
#include "tests/crash/checker.h"
#include "tests/crash/journal.h"
#include "tests/crash/plan.h"

namespace stepwell::testing {

// Clients that do all that a store has to keep, until the server is gone. Thread-compatible.
class Load {
 public:
  // Of a server at `address`, which has what is in the ledger. All must outlive this.
  Load(const std::string& address, const Ledger* ledger, Journal* journal, Plan plan, std::mt19937& random);
  // The server must be gone.
  ~Load();

  // Makes the standing branches that are not there, and asks again for some of what the run before did.
  // False: the journal says what failed.
  bool Prepare(std::vector<Repeatable> repeatable);
  // Returns how many clients it has started, each of which leaves the journal in the end.
  int Start();

 private:
  const Ledger& ledger_;
  Journal* const journal_;
  const Plan plan_;
  const std::unique_ptr<client::Client> client_;
  std::mt19937& random_;
  std::vector<std::thread> clients_;
};

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_CRASH_LOAD_H_
