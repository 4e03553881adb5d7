#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/array_json.h"
#include "client/cli/error.h"
#include "client/cli/safetensors_dtype.h"
#include "client/cli/state_file.h"
#include "stepwell/array/shape.h"

namespace stepwell::cli {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxHeaderSize = 100'000'000;
constexpr int64_t kNewestFormat = 1;
constexpr size_t kReadBytes = 1 << 20;

// One tensor, as the header describes it.
struct Tensor {
  std::string name;
  v1::MovedSnapshot::ArrayHeader array;
  int64_t begin = 0;  // From the end of the header.
  int64_t end = 0;
};

absl::Status BadTensor(absl::string_view name, absl::string_view what) {
  return BadInput(absl::StrCat("array \"", name, "\": ", what));
}

absl::StatusOr<Tensor> ParseTensor(const std::string& name, const Json& value) try {
  const auto tag = value.at("dtype").get<std::string>();
  const std::optional<DType> dtype = DTypeOfSafetensorsTag(tag);
  if (!dtype.has_value()) return BadTensor(name, absl::StrCat("dtype ", tag, " is none that states have"));
  const auto dims = value.at("shape").get<std::vector<int64_t>>();
  const absl::StatusOr<Shape> shape = Shape::Make(dims);
  if (!shape.ok()) return BadTensor(name, shape.status().message());
  const auto offsets = value.at("data_offsets").get<std::vector<int64_t>>();
  if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] - offsets[0] != shape->ByteCount(*dtype)) {
    return BadTensor(
        name, absl::StrCat("data_offsets ", value.at("data_offsets").dump(), "; expected two that are ",
                           shape->ByteCount(*dtype), " bytes apart"));
  }
  Tensor tensor{.name = name, .begin = offsets[0], .end = offsets[1]};
  tensor.array.set_dtype(static_cast<v1::DType>(*dtype));
  tensor.array.mutable_shape()->Add(dims.begin(), dims.end());
  return tensor;
} catch (const Json::exception& error) {
  return BadTensor(name, error.what());
}

absl::StatusOr<v1::MovedSnapshot> ParseSnapshot(const Json& json) {
  v1::MovedSnapshot snapshot;
  snapshot.set_version(json.at("version").get<int64_t>());
  snapshot.set_revision(json.at("revision").get<int64_t>());
  snapshot.set_method(json.at("method").get<std::string>());
  const auto time = json.at("create_time").get<std::string>();
  if (!TimeUtil::FromString(time, snapshot.mutable_create_time())) {
    return BadInput(absl::StrCat("create_time \"", time, "\" is no time"));
  }
  for (const auto& [key, value] : json.at("labels").items()) {
    (*snapshot.mutable_labels())[key] = value.get<std::string>();
  }
  snapshot.set_step_count(json.at("step_count").get<int64_t>());
  snapshot.set_pinned(json.at("pinned").get<bool>());
  return snapshot;
}

// The tensors of the header, in the order of their bytes, which must be all `size` of the file's data.
absl::StatusOr<std::vector<Tensor>> ParseTensors(const Json& header, int64_t size) {
  std::vector<Tensor> tensors;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") continue;
    absl::StatusOr<Tensor> tensor = ParseTensor(name, value);
    if (!tensor.ok()) return tensor.status();
    tensors.push_back(*std::move(tensor));
  }
  std::ranges::sort(tensors, {}, [](const Tensor& tensor) { return std::pair(tensor.begin, tensor.end); });
  int64_t expected = 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.begin != expected || tensor.end > size) {
      return BadTensor(tensor.name, absl::StrCat("has the bytes [", tensor.begin, ", ", tensor.end,
                                                 "); expected them from ", expected, " within the ", size,
                                                 " that the file has: it is cut off or damaged"));
    }
    expected = tensor.end;
  }
  if (expected == size) return tensors;
  return BadInput(absl::StrCat("there are ", size, " bytes of arrays; expected ", expected));
}

}  // namespace

absl::Status StateFileReader::Wrong(absl::string_view what) const {
  return BadInput(absl::StrCat("\"", path_, "\": ", what));
}

absl::StatusOr<std::unique_ptr<StateFileReader>> StateFileReader::Open(const std::string& path) {
  std::unique_ptr<StateFileReader> reader(new StateFileReader(path));
  try {
    const absl::Status read = reader->ReadHeader();
    if (!read.ok()) return read;
  } catch (const Json::exception& error) {
    return reader->Wrong(absl::StrCat("it is not as `stepwell export` writes it: ", error.what()));
  }
  return reader;
}

absl::Status StateFileReader::ReadHeader() {
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path_, error));
  if (error || !file_) return BadInput(absl::StrCat("\"", path_, "\" cannot be read"));
  char length_bytes[kLengthBytes];
  if (size < kLengthBytes || !file_.read(length_bytes, kLengthBytes)) {
    return Wrong(absl::StrCat("it has ", size, " bytes, and is no safetensors file"));
  }
  uint64_t length = 0;
  for (int i = kLengthBytes; i-- > 0;) length = length << 8 | static_cast<unsigned char>(length_bytes[i]);
  if (length > kMaxHeaderSize || static_cast<int64_t>(length) > size - kLengthBytes) {
    return Wrong(absl::StrCat("its header would have ", length, " bytes, and ", size - kLengthBytes,
                              " follow: it is cut off, or no safetensors file"));
  }
  std::string text(length, '\0');
  if (!file_.read(text.data(), static_cast<std::streamsize>(length))) return Wrong("it cannot be read");
  const Json header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) return Wrong("its header is no JSON object: it is no safetensors file");
  const Json metadata = header.value("__metadata__", Json::object());
  const std::string format_text = metadata.value("stepwell_format", "");
  int64_t format = 0;
  if (!absl::SimpleAtoi(format_text, &format)) {
    return Wrong(
        "it has no stepwell_format among its metadata; expected a file that `stepwell export` has made");
  }
  if (format > kNewestFormat) {
    return Wrong(
        absl::StrCat("it has format ", format, "; expected at most ", kNewestFormat,
                     ", the newest that this command knows: use the one that wrote it, or a later one"));
  }
  head_.has_history = metadata.at("history").get<std::string>() == "true";
  head_.branch = metadata.value("branch", "");
  head_.history.set_model(metadata.at("model").get<std::string>());
  for (const Json& revision : Json::parse(metadata.at("revisions").get<std::string>())) {
    v1::MovedHistory::Revision& added = *head_.history.add_revisions();
    added.set_number(revision.at("number").get<int64_t>());
    added.set_digest(revision.at("digest").get<std::string>());
  }
  const Json snapshots = Json::parse(metadata.at("snapshots").get<std::string>());
  for (const Json& json : snapshots) {
    absl::StatusOr<v1::MovedSnapshot> snapshot = ParseSnapshot(json);
    if (!snapshot.ok()) return Wrong(snapshot.status().message());
    snapshots_.push_back({*std::move(snapshot), {}});
  }
  if (snapshots_.empty() || (!head_.has_history && snapshots_.size() != 1)) {
    return Wrong(absl::StrCat("it lists ", snapshots_.size(), " snapshots; expected ",
                              head_.has_history ? "at least one" : "one"));
  }
  head_.history.set_snapshot_count(std::ssize(snapshots_));

  const int64_t data_begin = kLengthBytes + static_cast<int64_t>(length);
  data_bytes_ = size - data_begin;
  absl::StatusOr<std::vector<Tensor>> tensors = ParseTensors(header, data_bytes_);
  if (!tensors.ok()) return Wrong(tensors.status().message());
  for (Tensor& tensor : *tensors) {
    size_t n = 0;
    std::string index = tensor.name;
    if (head_.has_history) {
      const size_t slash = index.find('/');
      if (slash == std::string::npos || !absl::SimpleAtoi(index.substr(0, slash), &n) ||
          n >= snapshots_.size()) {
        return Wrong(absl::StrCat("array \"", tensor.name, "\" is of none of its ", snapshots_.size(),
                                  " snapshots; expected names such as \"0/", tensor.name, "\""));
      }
      index.erase(0, slash + 1);
    }
    const Json& appends = snapshots[n].at("appends");
    tensor.array.set_appends(std::find(appends.begin(), appends.end(), Json(index)) != appends.end());
    tensor.array.set_index(std::move(index));
    *snapshots_[n].message.add_arrays() = std::move(tensor.array);
    snapshots_[n].ranges.emplace_back(data_begin + tensor.begin, data_begin + tensor.end);
  }
  for (size_t n = 0; n < snapshots_.size(); ++n) {
    const int expected = snapshots[n].at("array_count").get<int>();
    if (snapshots_[n].message.arrays_size() == expected) continue;
    return Wrong(absl::StrCat("snapshot ", n, " has ", snapshots_[n].message.arrays_size(),
                              " arrays; expected ", expected));
  }
  return absl::OkStatus();
}

absl::Status StateFileReader::ReadData(int64_t n, absl::FunctionRef<absl::Status(absl::string_view)> take) {
  std::string chunk;
  for (const auto& [begin, end] : snapshots_[static_cast<size_t>(n)].ranges) {
    file_.seekg(begin);
    for (int64_t at = begin; at < end; at += std::ssize(chunk)) {
      chunk.resize(std::min(kReadBytes, static_cast<size_t>(end - at)));
      if (!file_.read(chunk.data(), std::ssize(chunk))) return Wrong("it cannot be read to its end");
      const absl::Status taken = take(chunk);
      if (!taken.ok()) return taken;
    }
  }
  return absl::OkStatus();
}

}  // namespace stepwell::cli
