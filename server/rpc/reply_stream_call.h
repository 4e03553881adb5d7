#ifndef STEPWELL_SERVER_RPC_REPLY_STREAM_CALL_H_
#define STEPWELL_SERVER_RPC_REPLY_STREAM_CALL_H_

#include <atomic>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/async_stream.h"
#include "server/rpc/call.h"

namespace stepwell::server {

// A call with a stream of replies, which are pulled one by one as the client takes them: what waits for a
// slow client is the message that leaves and the one behind it. Small replies that are ready leave together.
template <typename ResponderT>
class ReplyStreamCall : public Call {
 public:
  using Responder = ResponderT;

  // Makes the next message: nothing when there is none yet, after which Resume asks again; one that is not
  // Valid() ends the stream, an error fails it. Called on the completion-queue thread or by Resume, one call
  // at a time; destroyed when the stream has ended, so that it may refer to the call.
  using Source = absl::AnyInvocable<absl::StatusOr<std::optional<grpc::ByteBuffer>>()>;

  // Sends what `source` makes, or fails the call; once.
  void Answer(absl::StatusOr<Source> source);

  // The source may have a message now. Thread-safe.
  void Resume();

 protected:
  explicit ReplyStreamCall(RpcServer* server) : Call(server), responder_(&server_context()) {}

  Responder& responder() { return responder_; }

 private:
  void OnCancelled() override { Resume(); }
  void Send() override { SendNext(); }
  void SendNext();
  void End(const grpc::Status& status);
  void OnWritten(bool ok);
  void OnAnswered(bool ok) { OnFinished(ok); }

  Responder responder_;
  Source source_;
  absl::StatusOr<std::optional<grpc::ByteBuffer>> ahead_ = std::nullopt;  // The next, where it is known.
  bool has_begun_ = false;                                                // To send replies.
  int held_back_ = 0;  // Replies that gRPC has and need not have sent.
  enum class Pace { kSending, kPaused, kResumed };
  std::atomic<Pace> pace_ = Pace::kSending;
  MemberTag<ReplyStreamCall, &ReplyStreamCall::OnWritten> written_{this};
  MemberTag<ReplyStreamCall, &ReplyStreamCall::OnAnswered> answered_{this};
};

extern template class ReplyStreamCall<grpc::ServerAsyncWriter<grpc::ByteBuffer>>;
extern template class ReplyStreamCall<grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>>;

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_REPLY_STREAM_CALL_H_
