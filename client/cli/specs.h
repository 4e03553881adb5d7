#ifndef STEPWELL_CLIENT_CLI_SPECS_H_
#define STEPWELL_CLIENT_CLI_SPECS_H_

#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/array_source.h"
#include "stepwell/client/types.h"
#include "stepwell/v1/model_service.pb.h"

// What a server says of a model, and values read as it says.
namespace stepwell::cli {

// "float32 (8, batch)"; a dynamic dimension without a name is "?".
std::string SpecToText(const v1::TensorSpec& spec);

// The method of that name. BadInput lists the methods there are.
absl::StatusOr<v1::MethodInfo> FindMethod(const v1::ModelInfo& model, absl::string_view name);

// Named values and the specs that they must be read by.
class SpecList {
 public:
  // Of a method's inputs, and of a model's state arrays.
  static SpecList Inputs(const v1::ModelInfo& model, const v1::MethodInfo& method);
  // The inputs of many steps, stacked on a new outermost axis.
  static SpecList StackedInputs(const v1::ModelInfo& model, const v1::MethodInfo& method);
  static SpecList StateArrays(const v1::ModelInfo& model);

  // BadInput lists the names there are.
  absl::StatusOr<v1::TensorSpec> Find(absl::string_view name) const;

  // The arrays that texts of the form NAME=VALUE tell.
  absl::StatusOr<client::NamedArrays> Read(const std::vector<std::string>& assignments,
                                           ArraySource& source) const;

  // The arrays that the members of a JSON object tell; errors begin with `where` and the name.
  absl::StatusOr<client::NamedArrays> ReadObject(const Json& object, absl::string_view where) const;

  // Those that the assignments tell, and those of the JSON object in `object_file`, unless that is empty; "-"
  // is `in`, which may be null.
  absl::StatusOr<client::NamedArrays> ReadAll(const std::vector<std::string>& assignments,
                                              const std::string& object_file, std::istream* in) const;

 private:
  std::string whose_;  // 'method "step" of model "gru"'
  std::string what_;   // "input"
  std::vector<v1::TensorSpec> specs_;
};

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_SPECS_H_
