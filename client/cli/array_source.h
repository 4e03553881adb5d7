#ifndef STEPWELL_CLIENT_CLI_ARRAY_SOURCE_H_
#define STEPWELL_CLIENT_CLI_ARRAY_SOURCE_H_

#include <istream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/array_json.h"
#include "stepwell/array/array.h"
#include "stepwell/v1/model_service.pb.h"

namespace stepwell::cli {

// Where the values of a command line come from. Every error is BadInput. Thread-compatible.
class ArraySource {
 public:
  // `standard_input` is read when a value asks for it, and must outlive this.
  explicit ArraySource(std::istream* standard_input) : standard_input_(standard_input) {}

  // The array that `value` tells: JSON, or after an "@" the name of a file that holds JSON or is a .npy file;
  // "@-" is the standard input. JSON becomes the spec's dtype; a .npy file has its own.
  absl::StatusOr<Array> Read(absl::string_view value, const v1::TensorSpec& spec);

  // The JSON object in a file, or for "-" in the standard input.
  absl::StatusOr<Json> ReadObject(const std::string& file);

 private:
  absl::StatusOr<std::string> ReadBytes(const std::string& file);

  std::istream* const standard_input_;
  bool standard_input_read_ = false;
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_ARRAY_SOURCE_H_
