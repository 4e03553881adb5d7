#include "client/cli/npy.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "client/cli/error.h"
#include "client/cli/npy_header.h"

namespace stepwell::cli {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kAlignment = 64;  // Of the data in the file, as numpy writes it.

struct Kind {
  DType dtype;
  absl::string_view name;  // Kind and bytes of an element, without the byte order.
};
constexpr Kind kKinds[] = {{DType::kBool, "b1"},    {DType::kInt8, "i1"},    {DType::kUInt8, "u1"},
                           {DType::kInt16, "i2"},   {DType::kUInt16, "u2"},  {DType::kInt32, "i4"},
                           {DType::kUInt32, "u4"},  {DType::kInt64, "i8"},   {DType::kUInt64, "u8"},
                           {DType::kFloat16, "f2"}, {DType::kFloat32, "f4"}, {DType::kFloat64, "f8"}};

struct ElementType {
  DType dtype;
  bool swapped;  // Big endian.
};

absl::StatusOr<ElementType> ParseDescr(absl::string_view descr) {
  if (!descr.empty() && absl::string_view("<>|=").find(descr[0]) != absl::string_view::npos) {
    for (const Kind& kind : kKinds) {
      if (descr.substr(1) == kind.name) return ElementType{kind.dtype, descr[0] == '>'};
    }
  }
  return BadInput(absl::StrCat(
      ".npy dtype \"", absl::CHexEscape(descr), "\"; expected bool, integers, or floats of 2, 4 or 8 bytes: ",
      absl::StrJoin(kKinds, ", ",
                    [](std::string* out, const Kind& kind) { absl::StrAppend(out, kind.name); }),
      "; numpy has no bfloat16: save such arrays as float32"));
}

// An unsigned little-endian number at `offset`.
size_t ReadNumber(absl::string_view bytes, size_t offset, size_t size) {
  size_t number = 0;
  for (size_t i = size; i > 0; --i) number = number << 8 | static_cast<unsigned char>(bytes[offset + i - 1]);
  return number;
}

void SwapBytes(std::byte* data, size_t size, size_t item_size) {
  for (size_t i = 0; i < size; i += item_size) std::reverse(data + i, data + i + item_size);
}

// Elements from Fortran order, in which the first axis varies fastest, to C order.
void CopyFromFortranOrder(const Shape& shape, size_t item_size, const char* from, std::byte* to) {
  std::vector<int64_t> position(static_cast<size_t>(shape.rank()), 0);
  for (int64_t i = 0; i < shape.element_count(); ++i) {
    int64_t offset = 0;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      offset = offset * shape[axis] + position[static_cast<size_t>(axis)];
    }
    std::memcpy(to, from + static_cast<size_t>(offset) * item_size, item_size);
    to += item_size;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (++position[static_cast<size_t>(axis)] < shape[axis]) break;
      position[static_cast<size_t>(axis)] = 0;
    }
  }
}

}  // namespace

bool IsNpy(absl::string_view bytes) { return absl::StartsWith(bytes, kMagic); }

absl::StatusOr<Array> ParseNpy(absl::string_view bytes) {
  if (!IsNpy(bytes)) return BadInput("no .npy file: it does not begin with \\x93NUMPY, as numpy.save writes");
  if (bytes.size() < kMagic.size() + 2) return BadInput("the .npy file ends within its first bytes");
  const int major = static_cast<unsigned char>(bytes[kMagic.size()]);
  const int minor = static_cast<unsigned char>(bytes[kMagic.size() + 1]);
  if (major < 1 || major > 3 || minor != 0) {
    return BadInput(absl::StrCat(".npy version ", major, ".", minor, "; expected 1.0, 2.0 or 3.0"));
  }
  const size_t length_size = major == 1 ? 2 : 4;
  const size_t header_at = kMagic.size() + 2 + length_size;
  if (bytes.size() < header_at) return BadInput("the .npy file ends before its header");
  const size_t header_size = ReadNumber(bytes, kMagic.size() + 2, length_size);
  if (bytes.size() - header_at < header_size) {
    return BadInput(absl::StrCat("the .npy file ends within its header of ", header_size, " bytes"));
  }
  const absl::StatusOr<NpyHeader> header = ParseNpyHeader(bytes.substr(header_at, header_size));
  if (!header.ok()) return header.status();
  const absl::StatusOr<ElementType> type = ParseDescr(header->descr);
  if (!type.ok()) return type.status();
  const absl::StatusOr<Shape> shape = Shape::Make(header->shape);
  if (!shape.ok()) return BadInputAt(".npy shape", shape.status());

  const absl::string_view data = bytes.substr(header_at + header_size);
  const auto byte_count = static_cast<size_t>(shape->ByteCount(type->dtype));
  if (data.size() != byte_count) {
    return BadInput(absl::StrCat("the .npy file holds ", data.size(), " bytes of data; expected ", byte_count,
                                 " for ", DTypeName(type->dtype), " ", shape->ToString()));
  }
  MutableBuffer buffer = MutableBuffer::Allocate(byte_count);
  const size_t item_size = ItemSize(type->dtype);
  if (header->fortran_order && shape->rank() > 1) {
    CopyFromFortranOrder(*shape, item_size, data.data(), buffer.data());
  } else if (byte_count > 0) {
    std::memcpy(buffer.data(), data.data(), byte_count);
  }
  if (type->swapped) SwapBytes(buffer.data(), byte_count, item_size);
  absl::StatusOr<Array> array = Array::Make(type->dtype, *shape, std::move(buffer).Freeze());
  if (!array.ok()) return BadInputAt(".npy data", array.status());
  return array;
}

std::string WriteNpy(const Array& array) {
  Array written = array;
  if (array.dtype() == DType::kBFloat16) {
    std::vector<float> floats;
    const absl::Span<const BFloat16> elements = array.As<BFloat16>().value();
    for (const BFloat16 element : elements) floats.push_back(ToFloat(element));
    written = Array::From<float>(array.shape().dims(), floats).value();
  }
  const Kind& kind = *std::find_if(std::begin(kKinds), std::end(kKinds),
                                   [&](const Kind& candidate) { return candidate.dtype == written.dtype(); });
  std::string dictionary =
      absl::StrCat("{'descr': '", ItemSize(kind.dtype) == 1 ? "|" : "<", kind.name,
                   "', 'fortran_order': False, 'shape': (", absl::StrJoin(written.shape().dims(), ", "),
                   written.shape().rank() == 1 ? ",), }" : "), }");
  const size_t before = kMagic.size() + 4;
  dictionary.append(kAlignment - 1 - (before + dictionary.size()) % kAlignment, ' ');
  dictionary += '\n';

  std::string out(kMagic);
  out += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xFF),
          static_cast<char>(dictionary.size() >> 8)};
  out += dictionary;
  out.append(reinterpret_cast<const char*>(written.bytes().data()), written.bytes().size());
  return out;
}

absl::StatusOr<Array> NarrowToBFloat16(const Array& array) {
  const absl::StatusOr<absl::Span<const float>> floats = array.As<float>();
  if (!floats.ok()) {
    return BadInput(absl::StrCat("the .npy file holds ", DTypeName(array.dtype()),
                                 "; expected float32, since numpy has no bfloat16"));
  }
  std::vector<BFloat16> narrow;
  narrow.reserve(floats->size());
  for (const float element : *floats) {
    narrow.push_back(ToBFloat16(element));
    const float back = ToFloat(narrow.back());
    if (back != element && element == element) {
      return BadInput(absl::StrCat("element ", narrow.size() - 1, " of the .npy file is ", element,
                                   ", which is no bfloat16; expected numbers rounded to 8 bits"));
    }
  }
  return Array::From<BFloat16>(array.shape().dims(), narrow);
}

absl::Status WriteNpyFile(const Array& array, const std::string& file) {
  const std::string bytes = WriteNpy(array);
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) return BadInput(absl::StrCat("file \"", file, "\" cannot be written"));
  return absl::OkStatus();
}

}  // namespace stepwell::cli
