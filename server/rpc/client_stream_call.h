#ifndef STEPWELL_SERVER_RPC_CLIENT_STREAM_CALL_H_
#define STEPWELL_SERVER_RPC_CLIENT_STREAM_CALL_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/async_stream.h"
#include "server/rpc/one_reply_call.h"
#include "server/rpc/request_reader.h"

namespace stepwell::server {

// A stream of requests, which are pulled one by one, and one reply.
class ClientStreamCall final
    : public OneReplyCall<grpc::ServerAsyncReader<grpc::ByteBuffer, grpc::ByteBuffer>> {
 public:
  // Reads requests as it can take them and answers once, now or later, also before the last one has come.
  using Handler = absl::AnyInvocable<void(std::shared_ptr<ClientStreamCall>) const>;

  struct Method {
    absl::AnyInvocable<void(grpc::ServerContext*, Responder*, grpc::ServerCompletionQueue*, Tag*) const>
        request;
    Handler handler;
  };

  // `method` must outlive the server.
  ClientStreamCall(RpcServer* server, const Method* method)
      : OneReplyCall(server), method_(method), reader_(server, &responder()) {}

  // Asks for the next request; not before the one that was asked for last has come.
  void Read(RequestCallback got) { reader_.Read(shared_from_this(), std::move(got)); }

  void Handle() override;

 private:
  void Request(grpc::ServerContext* context, grpc::ServerCompletionQueue* queue, Tag* received) override {
    method_->request(context, &responder(), queue, received);
  }
  void Renew() override { std::make_shared<ClientStreamCall>(&server(), method_)->Wait(); }

  const Method* const method_;
  RequestReader<Responder> reader_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_CLIENT_STREAM_CALL_H_
