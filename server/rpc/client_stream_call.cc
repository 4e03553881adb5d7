#include "server/rpc/client_stream_call.h"

#include "server/rpc/status.h"

namespace stepwell::server {

void ClientStreamCall::Handle() {
  if (reader_.Deliver()) return;
  if (!is_started()) return Answer(Draining());
  method_->handler(std::static_pointer_cast<ClientStreamCall>(shared_from_this()));
}

void ClientStreamCall::Answer(absl::StatusOr<grpc::ByteBuffer> reply) {
  reply_ = std::move(reply);
  if (server().IsServingThread()) return server().SendSoon(this);
  Send();
}

void ClientStreamCall::Send() {
  if (reply_.ok()) {
    responder_.Finish(*reply_, grpc::Status::OK, &answered_);
  } else {
    responder_.FinishWithError(ToGrpcStatus(reply_.status()), &answered_);
  }
}

}  // namespace stepwell::server
