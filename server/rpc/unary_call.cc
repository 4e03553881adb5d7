#include "server/rpc/unary_call.h"

#include <utility>

#include "server/rpc/rpc_server.h"
#include "server/rpc/status.h"

namespace stepwell::server {

void UnaryCall::Handle() {
  if (!is_started()) return Answer(Draining());
  method_->handler(std::static_pointer_cast<UnaryCall>(shared_from_this()));
}

void UnaryCall::Answer(absl::StatusOr<grpc::ByteBuffer> reply) {
  reply_ = std::move(reply);
  if (server().IsServingThread()) return server().SendSoon(this);
  Send();
}

void UnaryCall::Send() {
  if (reply_.ok()) {
    responder_.Finish(*reply_, grpc::Status::OK, &answered_);
  } else {
    responder_.FinishWithError(ToGrpcStatus(reply_.status()), &answered_);
  }
}

}  // namespace stepwell::server
