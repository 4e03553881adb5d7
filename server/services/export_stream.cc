#include "server/services/export_stream.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/convert/decode.h"
#include "server/convert/encode.h"
#include "server/convert/message_writer.h"
#include "server/services/import_call.h"

namespace stepwell::server {
namespace {

// Of data in one message, as in a ReadArrays.
constexpr int64_t kExportChunkBytes = 1 << 20;

// What is read ahead of the client, unless one snapshot alone has more.
constexpr int64_t kMaxAheadBytes = 1 << 20;

v1::MovedSnapshot EncodeSnapshot(const MovedSnapshot& snapshot) {
  v1::MovedSnapshot message;
  message.set_version(snapshot.version.value());
  message.set_revision(snapshot.revision);
  message.set_method(snapshot.method);
  *message.mutable_create_time() = EncodeTime(snapshot.create_time);
  message.mutable_labels()->insert(snapshot.labels.begin(), snapshot.labels.end());
  message.set_step_count(snapshot.step_count);
  message.set_pinned(snapshot.pinned);
  for (const MovedArray& moved : snapshot.arrays) {
    auto& array = *message.add_arrays();
    array.set_index(moved.index);
    array.set_dtype(static_cast<v1::DType>(moved.array.dtype()));
    const auto dims = moved.array.shape().dims();
    array.mutable_shape()->Add(dims.begin(), dims.end());
    array.set_appends(moved.appends);
  }
  return message;
}

// The messages of one export. Snapshots are read on the movers' threads, when the client has taken those
// before. Thread-safe.
class ExportStream : public std::enable_shared_from_this<ExportStream> {
 public:
  ExportStream(std::unique_ptr<SnapshotExport> source, bool omit_data, WorkerPool* movers,
               const std::shared_ptr<ServerStreamCall>& call)
      : source_(std::move(source)), omit_data_(omit_data), movers_(movers), call_(call) {
    v1::ExportSnapshotsResponse message;
    const MovedHistory& history = source_->history();
    v1::MovedHistory& header = *message.mutable_header();
    header.set_model(history.model);
    for (const MovedHistory::Revision& revision : history.revisions) {
      v1::MovedHistory::Revision& added = *header.add_revisions();
      added.set_number(revision.number);
      added.set_digest(revision.digest);
    }
    header.set_snapshot_count(history.snapshot_count);
    ready_.push_back(Serialize(message));
  }

  // As ServerStreamCall::Source.
  absl::StatusOr<std::optional<grpc::ByteBuffer>> Next() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (!ready_.empty()) {
        grpc::ByteBuffer message;
        message.Swap(&ready_.front());
        ready_.pop_front();
        return message;
      }
      if (!end_.ok()) return end_;
      if (ended_) return grpc::ByteBuffer();
      if (std::exchange(reading_, true)) return std::nullopt;
    }
    movers_->Schedule([self = shared_from_this()] { self->Read(); });
    return std::nullopt;
  }

 private:
  void Read() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::deque<grpc::ByteBuffer> messages;
    absl::StatusOr<std::optional<MovedSnapshot>> snapshot;
    for (int64_t bytes = 0; bytes < kMaxAheadBytes;) {
      snapshot = source_->Next();
      if (!snapshot.ok() || !snapshot->has_value()) break;
      v1::ExportSnapshotsResponse message;
      *message.mutable_snapshot() = EncodeSnapshot(**snapshot);
      bytes += static_cast<int64_t>(message.ByteSizeLong());
      messages.push_back(Serialize(message));
      if (omit_data_) continue;
      for (const MovedArray& moved : (*snapshot)->arrays) {
        AddData(moved.array, messages);
        bytes += moved.array.byte_count();
      }
    }
    {
      absl::MutexLock lock(&mutex_);
      ready_ = std::move(messages);
      reading_ = false;
      end_ = snapshot.status();
      ended_ = snapshot.ok() && !snapshot->has_value();
    }
    if (const auto call = call_.lock()) call->Resume();
  }

  static void AddData(const Array& array, std::deque<grpc::ByteBuffer>& messages) {
    for (int64_t at = 0; at < array.byte_count(); at += kExportChunkBytes) {
      const int64_t size = std::min(kExportChunkBytes, array.byte_count() - at);
      MessageWriter writer;
      writer.AddBytes(v1::ExportSnapshotsResponse::kDataFieldNumber,
                      array.data().Part(static_cast<size_t>(at), static_cast<size_t>(size)));
      messages.push_back(writer.Finish());
    }
  }

  const std::unique_ptr<SnapshotExport> source_;  // One thread at a time.
  const bool omit_data_;
  WorkerPool* const movers_;
  const std::weak_ptr<ServerStreamCall> call_;

  absl::Mutex mutex_;
  std::deque<grpc::ByteBuffer> ready_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void ServeExport(Engine* engine, WorkerPool* movers, std::shared_ptr<ServerStreamCall> call,
                 v1::ExportSnapshotsRequest&& message) {
  absl::StatusOr<StateRef> state = DecodeStateRef(std::move(*message.mutable_state()));
  if (!state.ok()) return call->Answer(state.status());
  ExportSnapshotsRequest request{.state = *std::move(state), .history = message.history()};
  WorkerPool::Task open = [engine, movers, call, request = std::move(request),
                           omit_data = message.omit_data()] {
    absl::StatusOr<std::unique_ptr<SnapshotExport>> source = engine->ExportSnapshots(request);
    if (!source.ok()) return call->Answer(source.status());
    const auto stream = std::make_shared<ExportStream>(*std::move(source), omit_data, movers, call);
    call->Answer(ServerStreamCall::Source([stream] { return stream->Next(); }));
  };
  if (!movers->TrySchedule(open)) call->Answer(MoversAreBusy());
}

}  // namespace stepwell::server
