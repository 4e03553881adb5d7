#ifndef STEPWELL_TESTS_E2E_CLI_PROCESS_H_
#define STEPWELL_TESTS_E2E_CLI_PROCESS_H_

#include <string>
#include <vector>

namespace stepwell::testing {

// How a program ended, and what it wrote.
struct Finished {
  int exit_code = -1;  // -1: a signal ended it.
  std::string out;
  std::string err;
};

// Runs the program at arguments[0] with this standard input to its end.
Finished RunProgram(const std::vector<std::string>& arguments, const std::string& input = "");

}  // namespace stepwell::testing

#endif  // STEPWELL_TESTS_E2E_CLI_PROCESS_H_
