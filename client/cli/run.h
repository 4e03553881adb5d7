#ifndef STEPWELL_CLIENT_CLI_RUN_H_
#define STEPWELL_CLIENT_CLI_RUN_H_

#include <istream>
#include <ostream>

namespace stepwell::cli {

// The whole command: parses the command line, does what it asks for, reports errors; returns the exit code.
int Run(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_RUN_H_
