#include "server/rpc/reply_stream_call.h"

#include <utility>

#include "server/rpc/rpc_server.h"
#include "server/rpc/status.h"

namespace stepwell::server {
namespace {

// How many replies wait for others to leave with: enough to save most of the system calls, few enough that a
// client which takes them has something to do while the next are made.
constexpr int kMaxHeldBack = 15;

// A larger reply is worth a system call of its own.
constexpr size_t kMaxHeldBackBytes = 4096;

}  // namespace

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::Answer(absl::StatusOr<Source> source) {
  if (!source.ok()) return End(ToGrpcStatus(source.status()));
  source_ = *std::move(source);
  SendNext();
}

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::SendNext() {
  absl::StatusOr<std::optional<grpc::ByteBuffer>> message = std::exchange(ahead_, std::nullopt);
  if (message.ok() && !message->has_value()) message = source_();
  while (message.ok() && !message->has_value()) {
    if (is_cancelled()) {
      message = absl::CancelledError("the client has gone");
      break;
    }
    Pace pace = Pace::kSending;
    if (pace_.compare_exchange_strong(pace, Pace::kPaused)) return;
    // Resume was called since the source was asked, or while it was.
    pace_.store(Pace::kSending);
    message = source_();
  }
  if (!message.ok()) return End(ToGrpcStatus(message.status()));
  if (!(*message)->Valid()) return End(grpc::Status::OK);
  ahead_ = source_();
  const bool another_follows = ahead_.ok() && ahead_->has_value() && (*ahead_)->Valid();
  // Not the first, with which go the initial metadata: gRPC 1.51 would count it as written only once
  // something else makes the connection write.
  grpc::WriteOptions options;
  if (std::exchange(has_begun_, true) && another_follows && (*message)->Length() <= kMaxHeldBackBytes &&
      held_back_ < kMaxHeldBack) {
    options.set_buffer_hint();
    ++held_back_;
  } else {
    held_back_ = 0;
  }
  responder_.Write(**message, options, &written_);
}

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::End(const grpc::Status& status) {
  source_ = nullptr;
  responder_.Finish(status, &answered_);
}

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::Resume() {
  if (pace_.exchange(Pace::kResumed) != Pace::kPaused) return;
  if (server().IsServingThread()) return server().SendSoon(this);
  SendNext();
}

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::OnWritten(bool ok) {
  if (ok) return SendNext();
  End(grpc::Status::CANCELLED);  // The client has gone; its status is for the books alone.
}

template class ReplyStreamCall<grpc::ServerAsyncWriter<grpc::ByteBuffer>>;
template class ReplyStreamCall<grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>>;

}  // namespace stepwell::server
