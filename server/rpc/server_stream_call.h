#ifndef STEPWELL_SERVER_RPC_SERVER_STREAM_CALL_H_
#define STEPWELL_SERVER_RPC_SERVER_STREAM_CALL_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "grpcpp/grpcpp.h"
#include "server/rpc/reply_stream_call.h"

namespace stepwell::server {

// One request, a stream of replies.
class ServerStreamCall final : public ReplyStreamCall<grpc::ServerAsyncWriter<grpc::ByteBuffer>> {
 public:
  using Handler = absl::AnyInvocable<void(std::shared_ptr<ServerStreamCall>) const>;

  struct Method {
    absl::AnyInvocable<void(grpc::ServerContext*, grpc::ByteBuffer*, Responder*, grpc::ServerCompletionQueue*,
                            Tag*) const>
        request;
    Handler handler;
  };

  // `method` must outlive the server.
  ServerStreamCall(RpcServer* server, const Method* method) : ReplyStreamCall(server), method_(method) {}

  // The request message as it came.
  const grpc::ByteBuffer& request() const { return request_; }

  void Handle() override;

 private:
  void Request(grpc::ServerContext* context, grpc::ServerCompletionQueue* queue, Tag* received) override {
    method_->request(context, &request_, &responder(), queue, received);
  }
  void Renew() override { std::make_shared<ServerStreamCall>(&server(), method_)->Wait(); }

  const Method* const method_;
  grpc::ByteBuffer request_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_SERVER_STREAM_CALL_H_
