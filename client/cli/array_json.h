#ifndef STEPWELL_CLIENT_CLI_ARRAY_JSON_H_
#define STEPWELL_CLIENT_CLI_ARRAY_JSON_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stepwell/array/array.h"
#include "stepwell/v1/model_service.pb.h"

// Arrays as JSON: nested lists of numbers, or of true and false; a lone number is a scalar.
//
// Integers are exact. A float is written with the fewest digits that tell it from every other of its dtype.
// JSON has no numbers that are not finite: they are the strings "NaN", "Infinity" and "-Infinity", and are
// read so too, as well as bare, as Python writes them.
namespace stepwell::cli {

using Json = nlohmann::ordered_json;

// The value that `text` holds. BadInput, with the place, when it is no JSON.
absl::StatusOr<Json> ParseJson(absl::string_view text);

// The array of `spec`'s dtype that `value` holds; its shape is that of the lists. An empty list, which cannot
// tell what lies within it, takes the axes within from the spec, dynamic ones as 0. BadInput, naming the
// element: lists of different lengths on one axis, or what does not fit the dtype: a fraction or a number out
// of range for an integer, a finite number that a float would make infinite, a number for a bool or the
// reverse. Whether the shape fits the spec is for the server to say.
absl::StatusOr<Array> ArrayFromJson(const Json& value, const v1::TensorSpec& spec);

Json ArrayToJson(const Array& array);

}  // namespace stepwell::cli

#endif  // STEPWELL_CLIENT_CLI_ARRAY_JSON_H_
