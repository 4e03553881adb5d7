#include "client/cli/array_source.h"

#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/error.h"
#include "client/cli/npy.h"

namespace stepwell::cli {
namespace {

std::string NameOf(const std::string& file) { return file == "-" ? "standard input" : file; }

absl::StatusOr<Array> ReadNpy(absl::string_view bytes, const v1::TensorSpec& spec) {
  absl::StatusOr<Array> array = ParseNpy(bytes);
  if (array.ok() && spec.dtype() == v1::BFLOAT16) return NarrowToBFloat16(*array);
  return array;
}

}  // namespace

absl::StatusOr<std::string> ArraySource::ReadBytes(const std::string& file) {
  if (file == "-") {
    if (standard_input_read_) return BadInput("the standard input is asked for twice; it can be read once");
    standard_input_read_ = true;
    return std::string(std::istreambuf_iterator<char>(*standard_input_), {});
  }
  std::ifstream stream(file, std::ios::binary);
  std::string bytes;
  if (stream) bytes.assign(std::istreambuf_iterator<char>(stream), {});
  if (!stream || stream.bad()) return BadInput(absl::StrCat("file \"", file, "\" cannot be read"));
  return bytes;
}

absl::StatusOr<Array> ArraySource::Read(absl::string_view value, const v1::TensorSpec& spec) {
  std::string from;  // What messages are about.
  absl::StatusOr<Json> json;
  if (absl::ConsumePrefix(&value, "@")) {
    const std::string file(value);
    const absl::StatusOr<std::string> bytes = ReadBytes(file);
    if (!bytes.ok()) return BadInputAt(spec.name(), bytes.status());
    from = absl::StrCat(spec.name(), " from ", NameOf(file));
    if (IsNpy(*bytes) || absl::EndsWith(file, ".npy")) {
      absl::StatusOr<Array> array = ReadNpy(*bytes, spec);
      if (!array.ok()) return BadInputAt(from, array.status());
      return array;
    }
    json = ParseJson(*bytes);
  } else {
    from = spec.name();
    json = ParseJson(value);
  }
  if (!json.ok()) return BadInputAt(from, json.status());
  absl::StatusOr<Array> array = ArrayFromJson(*json, spec);
  if (!array.ok())
    return absl::IsInternal(array.status()) ? array.status() : BadInputAt(from, array.status());
  return array;
}

absl::StatusOr<Json> ArraySource::ReadObject(const std::string& file) {
  const absl::StatusOr<std::string> bytes = ReadBytes(file);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<Json> json = ParseJson(*bytes);
  if (!json.ok()) return BadInputAt(NameOf(file), json.status());
  if (!json->is_object()) {
    return BadInput(absl::StrCat(NameOf(file), " holds no JSON object; expected {\"NAME\": VALUE, ...}"));
  }
  return json;
}

}  // namespace stepwell::cli
