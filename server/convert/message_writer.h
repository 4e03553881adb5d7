#ifndef STEPWELL_SERVER_CONVERT_MESSAGE_WRITER_H_
#define STEPWELL_SERVER_CONVERT_MESSAGE_WRITER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "grpcpp/support/byte_buffer.h"
#include "stepwell/array/array.h"

namespace stepwell::server {

// Writes a reply's wire form field by field, in the order of the calls. Unlike a protobuf message it does not
// copy the bytes of large arrays: they go out as slices that share the array's memory, and keep it for as
// long as gRPC needs. Thread-compatible.
class MessageWriter {
 public:
  // A field of type int64; left out when 0, as proto3 does.
  void AddInt64(int field, int64_t value);

  // A field of type bytes.
  void AddBytes(int field, const Buffer& bytes);

  // A field of type NamedArray.
  void AddNamedArray(int field, absl::string_view name, const Array& array);

  // A repeated field of that type.
  void AddNamedArrays(int field, const std::vector<std::pair<std::string, Array>>& arrays);

  // A field that is a message, which is empty after.
  void AddMessage(int field, MessageWriter&& message);

  // The message; this is empty after.
  grpc::ByteBuffer Finish();

 private:
  void AppendVarint(uint64_t value);
  void AppendLength(int field, uint64_t length);
  void AppendBytes(const Buffer& bytes);
  void Flush();

  std::string inline_;  // What follows `slices_`.
  std::vector<grpc::Slice> slices_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_CONVERT_MESSAGE_WRITER_H_
