#ifndef STEPWELL_CLIENT_SRC_READ_ARRAYS_MESSAGES_H_
#define STEPWELL_CLIENT_SRC_READ_ARRAYS_MESSAGES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "stepwell/client/array_sink.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::client {

// What tests of ReadArrays let a server send: from version 7, "a" of two float32 and "b" of one int16 (10
// bytes), with an empty array between them.
inline v1::ReadArraysResponse HeaderMessage() {
  v1::ReadArraysResponse message;
  v1::ReadArraysResponse::Header& header = *message.mutable_header();
  header.set_version(7);
  header.set_byte_count(10);
  const auto add = [&](const char* name, v1::DType dtype, int64_t extent, int64_t bytes) {
    v1::ReadArraysResponse::Header::ArrayHeader& array = *header.add_arrays();
    array.set_name(name);
    array.set_dtype(dtype);
    array.add_shape(extent);
    array.set_byte_count(bytes);
    array.set_position(header.arrays_size() + 3);
  };
  add("a", v1::FLOAT32, 2, 8);
  add("none", v1::FLOAT64, 0, 0);
  add("b", v1::INT16, 1, 2);
  return message;
}

inline v1::ReadArraysResponse DataMessage(std::string bytes) {
  v1::ReadArraysResponse message;
  message.set_data(std::move(bytes));
  return message;
}

// Writes down what it gets, and fails at the `fail_at`-th chunk.
class RecordingSink final : public ArraySink {
 public:
  absl::Status OnHeader(const ArraysHeader& header) override {
    this->header = header;
    return absl::OkStatus();
  }
  absl::Status OnBytes(size_t entry, int64_t offset, absl::Span<const std::byte> bytes) override {
    if (static_cast<int>(chunks.size()) == fail_at) return absl::UnavailableError("the disk is full");
    chunks.push_back({entry, offset, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
    return absl::OkStatus();
  }

  struct Chunk {
    size_t entry;
    int64_t offset;
    std::string bytes;
    friend bool operator==(const Chunk&, const Chunk&) = default;
  };
  ArraysHeader header;
  std::vector<Chunk> chunks;
  int fail_at = -1;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_SRC_READ_ARRAYS_MESSAGES_H_
