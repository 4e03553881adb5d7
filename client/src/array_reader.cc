#include "client/src/array_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/src/convert.h"

namespace stepwell::client {
namespace {

absl::StatusOr<ArraysHeader> FromProto(const v1::ReadArraysResponse::Header& message) {
  ArraysHeader header{{message.version()}, {}, message.byte_count()};
  int64_t bytes = 0;
  for (const auto& array : message.arrays()) {
    absl::StatusOr<Shape> shape = Shape::Make(array.shape());
    if (!shape.ok() || !v1::DType_IsValid(array.dtype()) || array.dtype() == v1::DTYPE_UNSPECIFIED ||
        array.byte_count() != shape->ByteCount(static_cast<DType>(array.dtype()))) {
      return absl::InternalError(
          absl::StrCat("the server sent a header in which \"", array.name(), "\" is no array"));
    }
    bytes += array.byte_count();
    header.entries.push_back({array.name(), static_cast<DType>(array.dtype()), *std::move(shape),
                              array.byte_count(), array.position()});
  }
  if (bytes != message.byte_count()) {
    return absl::InternalError(absl::StrCat("the server sent a header of ", message.byte_count(),
                                            " bytes whose arrays have ", bytes));
  }
  return header;
}

}  // namespace

ArrayReader::ArrayReader(const GetArraysRequest& request, ArraySink* sink,
                         std::function<void(int64_t, int64_t)> on_progress)
    : sink_(sink), on_progress_(std::move(on_progress)) {
  v1::GetArraysRequest asked = ToProto(request);
  request_.mutable_state()->Swap(asked.mutable_state());
  request_.mutable_selectors()->Swap(asked.mutable_selectors());
}

const v1::ReadArraysRequest& ArrayReader::NextRequest() {
  if (header_.has_value()) {
    request_.mutable_state()->set_version(header_->version.value);  // The branch may have moved.
    request_.set_byte_offset(received_);
  }
  return request_;
}

bool ArrayReader::Take(const v1::ReadArraysResponse& message) {
  fault_ = message.has_header()
               ? OnHeader(message.header())
               : OnData({reinterpret_cast<const std::byte*>(message.data().data()), message.data().size()});
  return fault_.ok();
}

absl::Status ArrayReader::Outcome() const {
  if (!fault_.ok()) return fault_;
  if (header_.has_value() && received_ == header_->byte_count) return absl::OkStatus();
  return absl::InternalError("the server ended the stream before all bytes had come");
}

absl::Status ArrayReader::OnHeader(const v1::ReadArraysResponse::Header& message) {
  if (header_.has_value()) return absl::OkStatus();  // Of a stream that goes on: it says the same.
  absl::StatusOr<ArraysHeader> header = FromProto(message);
  if (!header.ok()) return header.status();
  header_ = *std::move(header);
  const absl::Status taken = sink_->OnHeader(*header_);
  if (taken.ok()) ReportProgress();
  return taken;
}

absl::Status ArrayReader::OnData(absl::Span<const std::byte> bytes) {
  if (!header_.has_value() || static_cast<int64_t>(bytes.size()) > header_->byte_count - received_) {
    return absl::InternalError("the server sent bytes that its header does not announce");
  }
  while (!bytes.empty()) {
    const int64_t left = header_->entries[entry_].byte_count - offset_;
    const auto part = bytes.subspan(0, static_cast<size_t>(left));
    if (!part.empty()) {
      const absl::Status taken = sink_->OnBytes(entry_, offset_, part);
      if (!taken.ok()) return taken;
    }
    bytes.remove_prefix(part.size());
    received_ += static_cast<int64_t>(part.size());
    offset_ += static_cast<int64_t>(part.size());
    if (offset_ == header_->entries[entry_].byte_count) {
      ++entry_;
      offset_ = 0;
    }
  }
  ReportProgress();
  return absl::OkStatus();
}

void ArrayReader::ReportProgress() const {
  if (on_progress_ != nullptr) on_progress_(received_, header_->byte_count);
}

absl::Status AssemblingSink::OnHeader(const ArraysHeader& header) {
  header_ = header;
  for (const ArraysHeader::Entry& entry : header_.entries) {
    buffers_.push_back(MutableBuffer::Allocate(static_cast<size_t>(entry.byte_count)));
  }
  return absl::OkStatus();
}

absl::Status AssemblingSink::OnBytes(size_t entry, int64_t offset, absl::Span<const std::byte> bytes) {
  std::memcpy(buffers_[entry].data() + offset, bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::StatusOr<GetArraysResult> AssemblingSink::Finish() && {
  GetArraysResult result{header_.version, {}};
  for (size_t i = 0; i < buffers_.size(); ++i) {
    ArraysHeader::Entry& entry = header_.entries[i];
    absl::StatusOr<Array> array =
        Array::Make(entry.dtype, std::move(entry.shape), std::move(buffers_[i]).Freeze());
    if (!array.ok()) {
      return absl::InternalError(absl::StrCat("the server sent \"", entry.name,
                                              "\", which is no array: ", array.status().message()));
    }
    result.arrays.emplace_back(std::move(entry.name), *std::move(array));
  }
  return result;
}

}  // namespace stepwell::client
