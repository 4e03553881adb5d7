#include "server/services/import_call.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/convert/decode.h"
#include "server/convert/encode.h"
#include "server/services/call_handlers.h"
#include "stepwell/base/error_info.h"
#include "stepwell/engine/errors.h"
#include "stepwell/v1/state_service.pb.h"

namespace stepwell::server {
namespace {

absl::StatusOr<ImportSnapshotsRequest> DecodeHeader(v1::ImportSnapshotsRequest::Header&& header) {
  const absl::StatusOr<std::optional<Durability>> durability = DecodeDurability(header.durability());
  if (!durability.ok()) return durability.status();
  ImportSnapshotsRequest request{.branch = std::move(*header.mutable_branch()),
                                 .request_id = header.request_id(),
                                 .durability = *durability};
  request.history.model = std::move(*header.mutable_history()->mutable_model());
  request.history.snapshot_count = header.history().snapshot_count();
  for (auto& revision : *header.mutable_history()->mutable_revisions()) {
    request.history.revisions.push_back({revision.number(), std::move(*revision.mutable_digest())});
  }
  const absl::Status decoded = DecodeRevision(header, request);
  if (!decoded.ok()) return decoded;
  return request;
}

// One stream. Its messages come one after the other, on the completion-queue thread; the import goes on on
// the movers' threads, one thing at a time.
class ImportCall : public std::enable_shared_from_this<ImportCall> {
 public:
  ImportCall(Engine* engine, WorkerPool* movers, int64_t max_bytes, std::shared_ptr<ClientStreamCall> call)
      : engine_(engine), movers_(movers), max_bytes_(max_bytes), call_(std::move(call)) {}

  // Reads to the end, and answers.
  void Read() {
    ReadRequest<v1::ImportSnapshotsRequest>(
        *call_,
        [self = shared_from_this()](absl::StatusOr<std::optional<v1::ImportSnapshotsRequest>> message) {
          self->OnMessage(std::move(message));
        });
  }

 private:
  using Message = v1::ImportSnapshotsRequest;

  void OnMessage(absl::StatusOr<std::optional<Message>> message) {
    if (!message.ok()) return End(message.status());
    if (!message->has_value()) return OnEnd();
    switch ((*message)->part_case()) {
      case Message::kHeader:
        return OnHeader(std::move(*(*message)->mutable_header()));
      case Message::kSnapshot:
        return OnSnapshot(std::move(*(*message)->mutable_snapshot()));
      case Message::kData:
        return OnData((*message)->data());
      case Message::PART_NOT_SET:
        return End(absl::InvalidArgumentError("the message is neither header, snapshot nor data"));
    }
  }

  void OnHeader(Message::Header&& header) {
    if (std::exchange(has_header_, true)) {
      return End(absl::InvalidArgumentError("the stream has a second header; expected a snapshot"));
    }
    absl::StatusOr<ImportSnapshotsRequest> request = DecodeHeader(std::move(header));
    if (!request.ok()) return End(request.status());
    request->call = call_->context();
    WorkerPool::Task open = [self = shared_from_this(), request = *std::move(request)] {
      absl::StatusOr<std::unique_ptr<SnapshotImport>> opened = self->engine_->ImportSnapshots(request);
      if (!opened.ok()) return self->End(opened.status());
      self->import_ = *std::move(opened);
      self->Read();
    };
    if (!movers_->TrySchedule(open)) End(MoversAreBusy());
  }

  void OnSnapshot(v1::MovedSnapshot&& message);
  absl::Status AddArray(v1::MovedSnapshot::ArrayHeader&& message);
  void OnData(absl::string_view bytes);
  void AddSnapshot();

  void OnEnd() {
    if (import_ == nullptr) return End(absl::InvalidArgumentError("the stream ended before its header"));
    if (snapshot_.has_value()) {
      return End(absl::InvalidArgumentError(
          absl::StrCat("the stream ended ", missing_, " bytes before the end of a snapshot's arrays")));
    }
    movers_->Schedule([self = shared_from_this()] {
      const absl::StatusOr<ImportSnapshotsResult> result = self->import_->Finish();
      if (!result.ok()) return self->End(result.status());
      v1::ImportSnapshotsResponse reply;
      *reply.mutable_snapshot() = server::Encode(*result->snapshot.record, result->snapshot.durable);
      *reply.mutable_branch() = server::Encode(result->branch);
      self->End(Serialize(reply));
    });
  }

  // Answers when nothing is left of an import that has not come to its end.
  void End(absl::StatusOr<grpc::ByteBuffer> reply) {
    movers_->Schedule([self = shared_from_this(), reply = std::move(reply)]() mutable {
      self->import_.reset();
      self->call_->Answer(std::move(reply));
    });
  }

  struct Incoming {
    std::string index;
    DType dtype;
    Shape shape;
    bool appends;
    std::optional<MutableBuffer> bytes;  // Once the first has come.
  };

  Engine* const engine_;
  WorkerPool* const movers_;
  const int64_t max_bytes_;
  const std::shared_ptr<ClientStreamCall> call_;
  bool has_header_ = false;
  std::unique_ptr<SnapshotImport> import_;
  std::optional<MovedSnapshot> snapshot_;  // Whose bytes are coming.
  std::vector<Incoming> arrays_;           // Its.
  int64_t missing_ = 0;                    // Bytes that are to come for them.
  size_t array_ = 0;                       // That the next byte belongs to,
  size_t offset_ = 0;                      // and where in it.
};

void ImportCall::OnSnapshot(v1::MovedSnapshot&& message) {
  if (import_ == nullptr) return End(absl::InvalidArgumentError("the stream does not begin with a header"));
  if (snapshot_.has_value()) {
    return End(absl::InvalidArgumentError(absl::StrCat(
        "a snapshot follows ", missing_, " bytes before the end of the arrays of the one before")));
  }
  const absl::StatusOr<absl::Time> time = DecodeTime("create_time", message.create_time());
  if (!time.ok()) return End(time.status());
  snapshot_ = MovedSnapshot{.version = Version(message.version()),
                            .revision = message.revision(),
                            .method = std::move(*message.mutable_method()),
                            .create_time = *time,
                            .labels = DecodeLabels(message.labels()),
                            .step_count = message.step_count(),
                            .pinned = message.pinned()};
  for (auto& array : *message.mutable_arrays()) {
    const absl::Status added = AddArray(std::move(array));
    if (!added.ok()) return End(added);
  }
  if (missing_ > 0) return Read();
  AddSnapshot();
}

absl::Status ImportCall::AddArray(v1::MovedSnapshot::ArrayHeader&& message) {
  const absl::StatusOr<DType> dtype = DecodeDType(message.dtype());
  absl::StatusOr<Shape> shape = Shape::Make(message.shape());
  const absl::Status wrong = dtype.ok() ? shape.status() : dtype.status();
  if (!wrong.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("index \"", absl::CHexEscape(message.index()), "\": ", wrong.message()));
  }
  const int64_t bytes = shape->ByteCount(*dtype);
  if (bytes > max_bytes_ - missing_) {
    return WithErrorInfo(
        absl::ResourceExhaustedError(absl::StrCat("the arrays of a snapshot have more than ", max_bytes_,
                                                  " bytes, which is what max_state_bytes allows")),
        "MEMORY_LIMIT", {{"limit", absl::StrCat(max_bytes_)}});
  }
  missing_ += bytes;
  arrays_.push_back(
      {std::move(*message.mutable_index()), *dtype, *std::move(shape), message.appends(), std::nullopt});
  return absl::OkStatus();
}

void ImportCall::OnData(absl::string_view bytes) {
  if (!snapshot_.has_value() || static_cast<int64_t>(bytes.size()) > missing_) {
    return End(absl::InvalidArgumentError(absl::StrCat(
        "the stream has ", bytes.size(), " bytes where the arrays of a snapshot lack ", missing_)));
  }
  missing_ -= static_cast<int64_t>(bytes.size());
  while (!bytes.empty()) {
    Incoming& array = arrays_[array_];
    const auto size = static_cast<size_t>(array.shape.ByteCount(array.dtype));  // 0: it is passed over.
    if (!array.bytes.has_value()) array.bytes = MutableBuffer::Allocate(size);
    const absl::string_view part = bytes.substr(0, size - offset_);
    part.copy(reinterpret_cast<char*>(array.bytes->data()) + offset_, part.size());
    bytes.remove_prefix(part.size());
    offset_ += part.size();
    if (offset_ == size) {
      ++array_;
      offset_ = 0;
    }
  }
  if (missing_ > 0) return Read();
  AddSnapshot();
}

void ImportCall::AddSnapshot() {
  MovedSnapshot snapshot = *std::exchange(snapshot_, std::nullopt);
  array_ = offset_ = 0;
  for (Incoming& incoming : std::exchange(arrays_, {})) {
    if (!incoming.bytes.has_value()) incoming.bytes = MutableBuffer::Allocate(0);
    absl::StatusOr<Array> array =
        Array::Make(incoming.dtype, std::move(incoming.shape), (*std::move(incoming.bytes)).Freeze());
    if (!array.ok()) {
      return End(absl::InvalidArgumentError(
          absl::StrCat("index \"", absl::CHexEscape(incoming.index), "\": ", array.status().message())));
    }
    snapshot.arrays.push_back({std::move(incoming.index), *std::move(array), incoming.appends});
  }
  movers_->Schedule([self = shared_from_this(), snapshot = std::move(snapshot)]() mutable {
    const absl::Status added = self->import_->Add(std::move(snapshot));
    if (!added.ok()) return self->End(added);
    self->Read();
  });
}

}  // namespace

absl::Status MoversAreBusy() { return QueueFull("the queue of exports and imports", kMaxWaitingMoves); }

void ServeImport(Engine* engine, WorkerPool* movers, int64_t max_bytes,
                 std::shared_ptr<ClientStreamCall> call) {
  std::make_shared<ImportCall>(engine, movers, max_bytes, std::move(call))->Read();
}

}  // namespace stepwell::server
