#include "server/services/array_stream.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/encode.h"
#include "server/convert/message_writer.h"
#include "stepwell/engine/selection.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {
namespace {

// Of data in one message; measured, see DESIGN: smaller and larger chunks are slower.
constexpr int64_t kChunkBytes = 1 << 20;

grpc::ByteBuffer Header(const GetArraysResult& read) {
  v1::ReadArraysResponse message;
  v1::ReadArraysResponse::Header& header = *message.mutable_header();
  header.set_version(read.snapshot->version().value());
  header.set_byte_count(ByteCount(read.arrays));
  for (size_t i = 0; i < read.arrays.size(); ++i) {
    const auto& [name, array] = read.arrays[i];
    auto& described = *header.add_arrays();
    described.set_name(name);
    described.set_dtype(static_cast<v1::DType>(array.dtype()));
    described.mutable_shape()->Add(array.shape().dims().begin(), array.shape().dims().end());
    described.set_byte_count(array.byte_count());
    described.set_position(read.positions[i]);
  }
  return Serialize(message);
}

// Makes one message after the other. Thread-compatible.
class ArrayStream {
 public:
  ArrayStream(GetArraysResult read, int64_t byte_offset) : read_(std::move(read)), at_(byte_offset) {}

  // An invalid buffer is the end.
  grpc::ByteBuffer Next() {
    if (!std::exchange(header_sent_, true)) return Header(read_);
    while (array_ < read_.arrays.size() && at_ >= read_.arrays[array_].second.byte_count()) {
      at_ -= read_.arrays[array_].second.byte_count();
      ++array_;
    }
    if (array_ == read_.arrays.size()) return grpc::ByteBuffer();
    const Array& array = read_.arrays[array_].second;
    const int64_t size = std::min(kChunkBytes, array.byte_count() - at_);
    MessageWriter writer;
    writer.AddBytes(v1::ReadArraysResponse::kDataFieldNumber,
                    array.data().Part(static_cast<size_t>(at_), static_cast<size_t>(size)));
    at_ += size;
    return writer.Finish();
  }

 private:
  const GetArraysResult read_;
  bool header_sent_ = false;
  size_t array_ = 0;
  int64_t at_;  // Where the next byte is, from the beginning of the array.
};

}  // namespace

absl::StatusOr<ServerStreamCall::Source> StreamArrays(GetArraysResult read, int64_t byte_offset) {
  const int64_t bytes = ByteCount(read.arrays);
  if (byte_offset < 0 || byte_offset > bytes) {
    return absl::OutOfRangeError(absl::StrCat("byte_offset is ", byte_offset, "; expected 0 to ", bytes,
                                              ", the bytes of these arrays"));
  }
  return ServerStreamCall::Source(
      [stream = std::make_unique<ArrayStream>(std::move(read), byte_offset)]()
          -> absl::StatusOr<std::optional<grpc::ByteBuffer>> { return stream->Next(); });
}

}  // namespace stepwell::server
