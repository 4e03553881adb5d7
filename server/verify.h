#ifndef STEPWELL_SERVER_VERIFY_H_
#define STEPWELL_SERVER_VERIFY_H_

#include <iosfwd>
#include <string>

namespace stepwell::server {

// Checks the store in `data_dir`, which nobody has open, and prints to `out` what was checked and each
// problem: a table, or one JSON object. Progress, and why it could not be opened, go to `err`. Returns the
// exit code: 0: it is whole; 1: it has problems; 2: it could not be opened.
int PrintVerification(const std::string& data_dir, bool as_json, std::ostream& out, std::ostream& err);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_VERIFY_H_
