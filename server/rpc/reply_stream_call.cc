#include "server/rpc/reply_stream_call.h"

#include <utility>

#include "server/rpc/status.h"

namespace stepwell::server {

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::Answer(absl::StatusOr<Source> source) {
  if (!source.ok()) return End(ToGrpcStatus(source.status()));
  source_ = *std::move(source);
  SendNext();
}

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::SendNext() {
  absl::StatusOr<std::optional<grpc::ByteBuffer>> message = source_();
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
  responder_.Write(**message, &written_);
}

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::End(const grpc::Status& status) {
  source_ = nullptr;
  responder_.Finish(status, &answered_);
}

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::Resume() {
  if (pace_.exchange(Pace::kResumed) == Pace::kPaused) SendNext();
}

template <typename ResponderT>
void ReplyStreamCall<ResponderT>::OnWritten(bool ok) {
  if (ok) return SendNext();
  End(grpc::Status::CANCELLED);  // The client has gone; its status is for the books alone.
}

template class ReplyStreamCall<grpc::ServerAsyncWriter<grpc::ByteBuffer>>;
template class ReplyStreamCall<grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>>;

}  // namespace stepwell::server
