#ifndef STEPWELL_SERVER_RPC_ONE_REPLY_CALL_H_
#define STEPWELL_SERVER_RPC_ONE_REPLY_CALL_H_

#include <utility>

#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"
#include "server/rpc/call.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/status.h"

namespace stepwell::server {

// A call that ends with one reply.
template <typename ResponderT>
class OneReplyCall : public Call {
 public:
  using Responder = ResponderT;

  // Answers the call; once.
  void Answer(absl::StatusOr<grpc::ByteBuffer> reply) {
    reply_ = std::move(reply);
    if (server().IsServingThread()) return server().SendSoon(this);
    Send();
  }

 protected:
  explicit OneReplyCall(RpcServer* server) : Call(server), responder_(&server_context()) {}

  Responder& responder() { return responder_; }

 private:
  void Send() override {
    if (reply_.ok()) {
      responder_.Finish(*reply_, grpc::Status::OK, &answered_);
    } else {
      responder_.FinishWithError(ToGrpcStatus(reply_.status()), &answered_);
    }
  }
  void OnAnswered(bool ok) { OnFinished(ok); }

  Responder responder_;
  absl::StatusOr<grpc::ByteBuffer> reply_;
  MemberTag<OneReplyCall, &OneReplyCall::OnAnswered> answered_{this};
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_ONE_REPLY_CALL_H_
