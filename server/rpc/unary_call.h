#ifndef STEPWELL_SERVER_RPC_UNARY_CALL_H_
#define STEPWELL_SERVER_RPC_UNARY_CALL_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/async_unary_call.h"
#include "server/rpc/one_reply_call.h"

namespace stepwell::server {

// One request, one reply.
class UnaryCall final : public OneReplyCall<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> {
 public:
  // Gets a call with its request and answers it once, now or later.
  using Handler = absl::AnyInvocable<void(std::shared_ptr<UnaryCall>) const>;

  // How the generated service is asked for a call (RequestStep and its like), and what handles it.
  struct Method {
    absl::AnyInvocable<void(grpc::ServerContext*, grpc::ByteBuffer*, Responder*, grpc::ServerCompletionQueue*,
                            Tag*) const>
        request;
    Handler handler;
  };

  // `method` must outlive the server.
  UnaryCall(RpcServer* server, const Method* method) : OneReplyCall(server), method_(method) {}

  // The request message as it came.
  const grpc::ByteBuffer& request() const { return request_; }

  void Handle() override;

 private:
  void Request(grpc::ServerContext* context, grpc::ServerCompletionQueue* queue, Tag* received) override {
    method_->request(context, &request_, &responder(), queue, received);
  }
  void Renew() override { std::make_shared<UnaryCall>(&server(), method_)->Wait(); }

  const Method* const method_;
  grpc::ByteBuffer request_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_UNARY_CALL_H_
