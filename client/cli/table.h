#ifndef STEPWELL_CLIENT_CLI_TABLE_H_
#define STEPWELL_CLIENT_CLI_TABLE_H_

#include <ostream>
#include <string>
#include <vector>

namespace stepwell::cli {

// Rows of text in aligned columns, two blanks apart. Thread-compatible.
class Table {
 public:
  // Without headings, the first row is the first that is added.
  explicit Table(std::vector<std::string> headings = {});

  // Rows may have different numbers of cells.
  void Add(std::vector<std::string> row);

  // Every line begins with `indent`, and none ends with blanks.
  void Write(std::ostream& out, const std::string& indent = "") const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_TABLE_H_
