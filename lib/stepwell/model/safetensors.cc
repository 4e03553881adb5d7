#include "stepwell/model/safetensors.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace stepwell {
namespace {

using Json = nlohmann::json;

constexpr int kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

uint64_t LoadLength(const std::byte* bytes) {
  uint64_t length = 0;
  for (int i = kLengthBytes; i-- > 0;) length = length << 8 | std::to_integer<uint64_t>(bytes[i]);
  return length;
}

std::optional<DType> DTypeOfTag(absl::string_view tag) {
  constexpr std::pair<absl::string_view, DType> kTags[] = {
      {"BOOL", DType::kBool},   {"I8", DType::kInt8},       {"U8", DType::kUInt8},
      {"I16", DType::kInt16},   {"U16", DType::kUInt16},    {"I32", DType::kInt32},
      {"U32", DType::kUInt32},  {"I64", DType::kInt64},     {"U64", DType::kUInt64},
      {"F16", DType::kFloat16}, {"BF16", DType::kBFloat16}, {"F32", DType::kFloat32},
      {"F64", DType::kFloat64},
  };
  const auto* found = std::ranges::find(kTags, tag, [](const auto& entry) { return entry.first; });
  if (found == std::end(kTags)) return std::nullopt;
  return found->second;
}

// One tensor as the header describes it.
struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t begin;  // From the end of the header.
  uint64_t end;
};

absl::Status Wrong(absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("tensor \"", name, "\": ", what));
}

// The array of non-negative integers `value` holds, or nothing.
std::optional<std::vector<int64_t>> Integers(const Json& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<int64_t> integers;
  for (const Json& element : value) {
    if (!element.is_number_unsigned() || element.get<uint64_t>() > INT64_MAX) return std::nullopt;
    integers.push_back(element.get<int64_t>());
  }
  return integers;
}

absl::StatusOr<Entry> ParseEntry(const std::string& name, const Json& value) {
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets")) {
    return Wrong(name, "expected an object with \"dtype\", \"shape\" and \"data_offsets\"");
  }
  const std::string tag =
      value["dtype"].is_string() ? value["dtype"].get<std::string>() : value["dtype"].dump();
  const std::optional<DType> dtype = DTypeOfTag(tag);
  if (!dtype.has_value())
    return Wrong(name, absl::StrCat("dtype ", tag, " is none of those that arrays have"));

  const std::optional<std::vector<int64_t>> dims = Integers(value["shape"]);
  if (!dims.has_value()) {
    return Wrong(name,
                 absl::StrCat("shape ", value["shape"].dump(), "; expected an array of integers from 0"));
  }
  absl::StatusOr<Shape> shape = Shape::Make(*dims);
  if (!shape.ok()) return Wrong(name, shape.status().message());

  const std::optional<std::vector<int64_t>> offsets = Integers(value["data_offsets"]);
  if (!offsets.has_value() || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1]) {
    return Wrong(name, absl::StrCat("data_offsets ", value["data_offsets"].dump(),
                                    "; expected two integers from 0, the first not above the second"));
  }
  Entry entry{name, *dtype, *std::move(shape), static_cast<uint64_t>((*offsets)[0]),
              static_cast<uint64_t>((*offsets)[1])};
  if (entry.end - entry.begin != static_cast<uint64_t>(entry.shape.ByteCount(entry.dtype))) {
    return Wrong(name, absl::StrCat("has ", entry.end - entry.begin, " bytes; ", DTypeName(entry.dtype), " ",
                                    entry.shape.ToString(), " takes ", entry.shape.ByteCount(entry.dtype)));
  }
  return entry;
}

// Parses the header; nlohmann's parser keeps the last of several equal keys, so a filter finds them.
absl::StatusOr<Json> ParseHeader(absl::string_view text) {
  std::set<std::string> names;
  std::set<std::string> fields;  // Of the tensor that was named last.
  std::string name;
  absl::Status status;
  const auto watch_keys = [&](int depth, Json::parse_event_t event, Json& key) {
    if (event == Json::parse_event_t::key && depth == 1) {
      name = key.get<std::string>();
      fields.clear();
      if (!names.insert(name).second) status = Wrong(name, "stands in the header twice; expected once");
    } else if (event == Json::parse_event_t::key && depth == 2 &&
               !fields.insert(key.get<std::string>()).second) {
      status = Wrong(name, absl::StrCat(key.dump(), " stands there twice; expected once"));
    }
    // The format nests twice: deeper JSON is hostile, and is dropped as it is read.
    return depth <= 3;
  };
  Json header = Json::parse(text, watch_keys, /*allow_exceptions=*/false);
  if (!header.is_object()) return absl::InvalidArgumentError("the header is no JSON object");
  if (!status.ok()) return status;
  return header;
}

}  // namespace

absl::StatusOr<Safetensors> ParseSafetensors(Buffer content) {
  const uint64_t size = content.size();
  if (size < kLengthBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the file has ", size, " bytes; expected 8 of header length"));
  }
  const uint64_t header_bytes = LoadLength(content.data());
  if (header_bytes > kMaxHeaderBytes || header_bytes > size - kLengthBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the header's length is ", header_bytes,
                                                   "; expected at most ", kMaxHeaderBytes, " and the ",
                                                   size - kLengthBytes, " bytes that follow"));
  }
  const char* text = reinterpret_cast<const char*>(content.data()) + kLengthBytes;
  const absl::StatusOr<Json> header = ParseHeader(absl::string_view(text, header_bytes));
  if (!header.ok()) return header.status();

  std::vector<Entry> entries;
  for (const auto& [name, value] : header->items()) {
    if (name == "__metadata__") continue;
    absl::StatusOr<Entry> entry = ParseEntry(name, value);
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }

  // In the order of their bytes, each begins where the one before it ends, and the last one ends the file.
  std::ranges::sort(entries, {}, [](const Entry& entry) { return std::pair(entry.begin, entry.end); });
  const uint64_t data_start = kLengthBytes + header_bytes;
  uint64_t expected = 0;
  Safetensors tensors;
  for (Entry& entry : entries) {
    if (entry.begin != expected || entry.end > size - data_start) {
      return Wrong(entry.name,
                   absl::StrCat("has the bytes [", entry.begin, ", ", entry.end, "); expected them from ",
                                expected, " within the ", size - data_start, " of the file"));
    }
    expected = entry.end;
    absl::StatusOr<Array> array = Array::Make(
        entry.dtype, std::move(entry.shape), content.Part(data_start + entry.begin, entry.end - entry.begin));
    if (!array.ok()) return Wrong(entry.name, array.status().message());
    tensors.emplace(std::move(entry.name), *std::move(array));
  }
  if (expected != size - data_start) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the file has ", size - data_start, " bytes of data; expected ", expected, ", as its tensors take"));
  }
  return tensors;
}

absl::StatusOr<Safetensors> ReadSafetensors(const std::filesystem::path& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return absl::NotFoundError(absl::StrCat("\"", path.string(), "\" cannot be opened"));
  MutableBuffer content = MutableBuffer::Allocate(size);
  if (!file.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(size))) {
    return absl::InternalError(absl::StrCat("\"", path.string(), "\" cannot be read"));
  }
  absl::StatusOr<Safetensors> tensors = ParseSafetensors(std::move(content).Freeze());
  if (tensors.ok()) return tensors;
  return absl::Status(tensors.status().code(),
                      absl::StrCat("\"", path.string(), "\": ", tensors.status().message()));
}

}  // namespace stepwell
