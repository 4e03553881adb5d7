#include "server/services/write_arrays.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/convert/encode.h"
#include "server/services/call_handlers.h"
#include "stepwell/base/error_info.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {
namespace {

// One stream. Its messages come one after the other.
class ArrayReceiver : public std::enable_shared_from_this<ArrayReceiver> {
 public:
  ArrayReceiver(Engine* engine, int64_t max_bytes, std::shared_ptr<ClientStreamCall> call)
      : engine_(engine), max_bytes_(max_bytes), call_(std::move(call)) {}

  // Reads to the end, and answers.
  void Read() {
    ReadRequest<v1::WriteArraysRequest>(
        *call_, [self = shared_from_this()](absl::StatusOr<std::optional<v1::WriteArraysRequest>> message) {
          self->OnMessage(std::move(message));
        });
  }

 private:
  struct Incoming {
    Index index;
    DType dtype;
    Shape shape;
    std::optional<MutableBuffer> bytes;  // Once the first has come.
  };

  void OnMessage(absl::StatusOr<std::optional<v1::WriteArraysRequest>> message);
  absl::Status OnHeader(v1::WriteArraysRequest::Header&& header);
  absl::Status AddArray(v1::WriteArraysRequest::Header::ArrayHeader&& message);
  absl::Status OnData(absl::string_view bytes);
  void OnEnd();

  Engine* const engine_;
  const int64_t max_bytes_;
  const std::shared_ptr<ClientStreamCall> call_;
  bool has_header_ = false;
  SetArraysRequest request_;  // Without its arrays, until all bytes have come.
  std::vector<Incoming> arrays_;
  int64_t expected_ = 0;  // Bytes of all arrays.
  int64_t received_ = 0;
  size_t array_ = 0;    // That the next byte belongs to,
  int64_t offset_ = 0;  // and where in it.
};

void ArrayReceiver::OnMessage(absl::StatusOr<std::optional<v1::WriteArraysRequest>> message) {
  if (!message.ok()) return call_->Answer(message.status());
  if (!message->has_value()) return OnEnd();
  absl::Status taken;
  switch ((*message)->part_case()) {
    case v1::WriteArraysRequest::kHeader:
      taken = OnHeader(std::move(*(*message)->mutable_header()));
      break;
    case v1::WriteArraysRequest::kData:
      taken = OnData((*message)->data());
      break;
    case v1::WriteArraysRequest::PART_NOT_SET:
      taken = absl::InvalidArgumentError("the message is neither header nor data");
      break;
  }
  if (!taken.ok()) return call_->Answer(taken);
  Read();
}

absl::Status ArrayReceiver::OnHeader(v1::WriteArraysRequest::Header&& header) {
  if (std::exchange(has_header_, true)) {
    return absl::InvalidArgumentError("the stream has a second header; expected data");
  }
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*header.mutable_state()));
  if (!state.ok()) return state.status();
  const absl::StatusOr<std::optional<Version>> expected_head = DecodeExpectedHead(header);
  if (!expected_head.ok()) return expected_head.status();
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(header.durability());
  if (!durability.ok()) return durability.status();
  for (auto& array : *header.mutable_arrays()) {
    const absl::Status added = AddArray(std::move(array));
    if (!added.ok()) return added;
  }
  request_ = {.state = *std::move(state),
              .expected_head = *expected_head,
              .labels = DecodeLabels(header.labels()),
              .request_id = header.request_id(),
              .durability = *durability};
  return DecodeRevision(header, request_);
}

absl::Status ArrayReceiver::AddArray(v1::WriteArraysRequest::Header::ArrayHeader&& message) {
  const std::string name = NameOf(message.index());
  absl::StatusOr<Index> index = DecodeIndex(std::move(*message.mutable_index()));
  if (!index.ok()) return index.status();
  const absl::StatusOr<DType> dtype = DecodeDType(message.dtype());
  absl::StatusOr<Shape> shape = Shape::Make(message.shape());
  const absl::Status wrong = dtype.ok() ? shape.status() : dtype.status();
  if (!wrong.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("index \"", absl::CHexEscape(name), "\": ", wrong.message()));
  }
  const int64_t bytes = shape->ByteCount(*dtype);
  if (bytes > max_bytes_ - expected_) {
    return WithErrorInfo(
        absl::ResourceExhaustedError(absl::StrCat("the arrays have more than ", max_bytes_,
                                                  " bytes, which is what max_state_bytes allows")),
        "MEMORY_LIMIT", {{"limit", absl::StrCat(max_bytes_)}});
  }
  expected_ += bytes;
  arrays_.push_back({*std::move(index), *dtype, *std::move(shape), std::nullopt});
  return absl::OkStatus();
}

absl::Status ArrayReceiver::OnData(absl::string_view bytes) {
  if (!has_header_) return absl::InvalidArgumentError("the first message of the stream is not header");
  if (static_cast<int64_t>(bytes.size()) > expected_ - received_) {
    return absl::InvalidArgumentError(absl::StrCat("the stream has more bytes than the ", expected_,
                                                   " of the arrays that its header lists"));
  }
  received_ += static_cast<int64_t>(bytes.size());
  while (!bytes.empty()) {
    Incoming& array = arrays_[array_];
    const int64_t size = array.shape.ByteCount(array.dtype);  // An array without bytes is passed over.
    if (!array.bytes.has_value()) array.bytes = MutableBuffer::Allocate(static_cast<size_t>(size));
    const absl::string_view part = bytes.substr(0, static_cast<size_t>(size - offset_));
    part.copy(reinterpret_cast<char*>(array.bytes->data()) + offset_, part.size());
    bytes.remove_prefix(part.size());
    offset_ += static_cast<int64_t>(part.size());
    if (offset_ == size) {
      ++array_;
      offset_ = 0;
    }
  }
  return absl::OkStatus();
}

void ArrayReceiver::OnEnd() {
  if (!has_header_) {
    return call_->Answer(absl::InvalidArgumentError("the stream ended before its header"));
  }
  if (received_ < expected_) {
    return call_->Answer(
        absl::InvalidArgumentError(absl::StrCat("the stream ended after ", received_, " bytes; expected ",
                                                expected_, ", those of the arrays that its header lists")));
  }
  for (Incoming& incoming : arrays_) {
    if (!incoming.bytes.has_value()) incoming.bytes = MutableBuffer::Allocate(0);
    absl::StatusOr<Array> array =
        Array::Make(incoming.dtype, std::move(incoming.shape), (*std::move(incoming.bytes)).Freeze());
    if (!array.ok()) return call_->Answer(array.status());
    request_.arrays.emplace_back(std::move(incoming.index), *std::move(array));
  }
  request_.call = call_->context();
  engine_->SetArrays(std::move(request_), [call = call_, engine = engine_](
                                              absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot) {
    if (!snapshot.ok()) return call->Answer(snapshot.status());
    v1::WriteArraysResponse reply;
    *reply.mutable_snapshot() =
        server::Encode((*snapshot)->record(), engine->IsDurable((*snapshot)->version()));
    call->Answer(Serialize(reply));
  });
}

}  // namespace

void ServeWriteArrays(Engine* engine, int64_t max_bytes, std::shared_ptr<ClientStreamCall> call) {
  std::make_shared<ArrayReceiver>(engine, max_bytes, std::move(call))->Read();
}

}  // namespace stepwell::server
