#ifndef STEPWELL_SERVER_RPC_BIDI_STREAM_CALL_H_
#define STEPWELL_SERVER_RPC_BIDI_STREAM_CALL_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "grpcpp/grpcpp.h"
#include "server/rpc/reply_stream_call.h"
#include "server/rpc/request_reader.h"

namespace stepwell::server {

// A stream of requests and a stream of replies, each pulled one by one and at its own pace: a handler that
// reads no further than its replies have gone holds a bounded number of messages, however fast a client sends
// and however slowly it takes.
class BidiStreamCall final
    : public ReplyStreamCall<grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> {
 public:
  // Reads requests as it can take them, and answers once with the source of the replies, which ends the call.
  using Handler = absl::AnyInvocable<void(std::shared_ptr<BidiStreamCall>) const>;

  struct Method {
    absl::AnyInvocable<void(grpc::ServerContext*, Responder*, grpc::ServerCompletionQueue*, Tag*) const>
        request;
    Handler handler;
  };

  // `method` must outlive the server.
  BidiStreamCall(RpcServer* server, const Method* method)
      : ReplyStreamCall(server), method_(method), reader_(server, &responder()) {}

  // Asks for the next request; not before the one that was asked for last has come.
  void Read(RequestCallback got) { reader_.Read(shared_from_this(), std::move(got)); }

  void Handle() override;

 private:
  void Request(grpc::ServerContext* context, grpc::ServerCompletionQueue* queue, Tag* received) override {
    method_->request(context, &responder(), queue, received);
  }
  void Renew() override { std::make_shared<BidiStreamCall>(&server(), method_)->Wait(); }

  const Method* const method_;
  RequestReader<Responder> reader_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_BIDI_STREAM_CALL_H_
