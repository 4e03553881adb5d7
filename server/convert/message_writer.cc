#include "server/convert/message_writer.h"

#include <algorithm>
#include <iterator>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "stepwell/v1/array.pb.h"

namespace stepwell::server {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

// Fewer bytes than this are copied: a slice of its own costs more.
constexpr size_t kMinSharedBytes = 4096;

uint32_t VarintTag(int field) { return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT); }
uint32_t LengthTag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

size_t VarintSize(uint64_t value) { return CodedOutputStream::VarintSize64(value); }

// Bytes of a length-delimited field of fewer than 16 as its number.
size_t FieldSize(uint64_t length) { return 1 + VarintSize(length) + length; }

size_t PackedSize(absl::Span<const int64_t> values) {
  size_t size = 0;
  for (const int64_t value : values) size += VarintSize(static_cast<uint64_t>(value));
  return size;
}

grpc::Slice Share(const Buffer& bytes) {
  auto* owner = new Buffer(bytes);
  return grpc::Slice(
      const_cast<std::byte*>(owner->data()), owner->size(),
      [](void* held) { delete static_cast<Buffer*>(held); }, owner);
}

}  // namespace

void MessageWriter::AppendVarint(uint64_t value) {
  uint8_t bytes[10];
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, bytes);
  inline_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

void MessageWriter::AppendLength(int field, uint64_t length) {
  AppendVarint(LengthTag(field));
  AppendVarint(length);
}

void MessageWriter::AppendBytes(const Buffer& bytes) {
  if (bytes.size() < kMinSharedBytes) {
    inline_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return;
  }
  Flush();
  slices_.push_back(Share(bytes));
}

void MessageWriter::Flush() {
  if (inline_.empty()) return;
  slices_.emplace_back(inline_);
  inline_.clear();
}

void MessageWriter::AddInt64(int field, int64_t value) {
  if (value == 0) return;
  AppendVarint(VarintTag(field));
  AppendVarint(static_cast<uint64_t>(value));
}

void MessageWriter::AddBytes(int field, const Buffer& bytes) {
  AppendLength(field, bytes.size());
  AppendBytes(bytes);
}

void MessageWriter::AddNamedArray(int field, absl::string_view name, const Array& array) {
  const size_t packed = PackedSize(array.shape().dims());
  const size_t shape_size = packed == 0 ? 0 : FieldSize(packed);
  const size_t array_size = 2 + shape_size + FieldSize(array.data().size());
  AppendLength(field, FieldSize(name.size()) + FieldSize(array_size));

  AppendLength(v1::NamedArray::kNameFieldNumber, name.size());
  inline_.append(name.data(), name.size());

  AppendLength(v1::NamedArray::kArrayFieldNumber, array_size);
  AppendVarint(VarintTag(v1::Array::kDtypeFieldNumber));
  AppendVarint(static_cast<uint64_t>(array.dtype()));
  if (packed != 0) {
    AppendLength(v1::Array::kShapeFieldNumber, packed);
    for (const int64_t extent : array.shape().dims()) AppendVarint(static_cast<uint64_t>(extent));
  }
  AddBytes(v1::Array::kDataFieldNumber, array.data());
}

void MessageWriter::AddNamedArrays(int field, const std::vector<std::pair<std::string, Array>>& arrays) {
  for (const auto& [name, array] : arrays) AddNamedArray(field, name, array);
}

void MessageWriter::AddMessage(int field, MessageWriter&& message) {
  size_t size = message.inline_.size();
  for (const grpc::Slice& slice : message.slices_) size += slice.size();
  AppendLength(field, size);
  if (!message.slices_.empty()) {
    Flush();
    std::move(message.slices_.begin(), message.slices_.end(), std::back_inserter(slices_));
    message.slices_.clear();
  }
  inline_.append(message.inline_);
  message.inline_.clear();
}

grpc::ByteBuffer MessageWriter::Finish() {
  Flush();
  // A message without fields has no bytes, but is a message.
  if (slices_.empty()) slices_.emplace_back();
  grpc::ByteBuffer message(slices_.data(), slices_.size());
  slices_.clear();
  return message;
}

}  // namespace stepwell::server
