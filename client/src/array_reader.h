#ifndef STEPWELL_CLIENT_SRC_ARRAY_READER_H_
#define STEPWELL_CLIENT_SRC_ARRAY_READER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "stepwell/array/buffer.h"
#include "stepwell/client/array_sink.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::client {

// What ReadArrays is, but for the streams themselves: the requests to open them with, and what their messages
// mean for a sink. Thread-compatible.
class ArrayReader {
 public:
  // `sink` must outlive this.
  ArrayReader(const GetArraysRequest& request, ArraySink* sink,
              std::function<void(int64_t, int64_t)> on_progress);

  // For the next stream: after one that broke, it goes on where that ended, on the version that it read.
  const v1::ReadArraysRequest& NextRequest();

  // Takes the next message of a stream. False: it is not what it should be, or the sink failed; the read is
  // over, and Outcome says why.
  bool Take(const v1::ReadArraysResponse& message);

  // What the stream that ended with `status` comes to. OK: the read is over.
  absl::Status EndStream(const absl::Status& status) const { return fault_.ok() ? status : absl::OkStatus(); }

  // Of a read that is over.
  absl::Status Outcome() const;

 private:
  absl::Status OnHeader(const v1::ReadArraysResponse::Header& message);
  absl::Status OnData(absl::Span<const std::byte> bytes);
  void ReportProgress() const;

  v1::ReadArraysRequest request_;
  ArraySink* const sink_;
  const std::function<void(int64_t, int64_t)> on_progress_;
  absl::Status fault_;
  std::optional<ArraysHeader> header_;
  int64_t received_ = 0;
  size_t entry_ = 0;    // That the next byte belongs to.
  int64_t offset_ = 0;  // And where in it.
};

// A sink that holds whole arrays.
class AssemblingSink final : public ArraySink {
 public:
  absl::Status OnHeader(const ArraysHeader& header) override;
  absl::Status OnBytes(size_t entry, int64_t offset, absl::Span<const std::byte> bytes) override;

  // When everything has come.
  absl::StatusOr<GetArraysResult> Finish() &&;

 private:
  ArraysHeader header_;
  std::vector<MutableBuffer> buffers_;
};

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_SRC_ARRAY_READER_H_
