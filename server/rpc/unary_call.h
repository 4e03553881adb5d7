#ifndef STEPWELL_SERVER_RPC_UNARY_CALL_H_
#define STEPWELL_SERVER_RPC_UNARY_CALL_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/async_unary_call.h"
#include "server/rpc/call.h"

namespace stepwell::server {

// One request, one reply.
class UnaryCall final : public Call {
 public:
  // Gets a call with its request and answers it once, now or later.
  using Handler = absl::AnyInvocable<void(std::shared_ptr<UnaryCall>) const>;
  using Responder = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;

  // How the generated service is asked for a call (RequestStep and its like), and what handles it.
  struct Method {
    absl::AnyInvocable<void(grpc::ServerContext*, grpc::ByteBuffer*, Responder*, grpc::ServerCompletionQueue*,
                            Tag*) const>
        request;
    Handler handler;
  };

  // `method` must outlive the server.
  UnaryCall(RpcServer* server, const Method* method)
      : Call(server), method_(method), responder_(&server_context()) {}

  // The request message as it came.
  const grpc::ByteBuffer& request() const { return request_; }

  // Answers the call; once.
  void Answer(absl::StatusOr<grpc::ByteBuffer> reply);

  void Handle() override;

  void Send() override;

 private:
  void Request(grpc::ServerContext* context, grpc::ServerCompletionQueue* queue, Tag* received) override {
    method_->request(context, &request_, &responder_, queue, received);
  }
  void Renew() override { std::make_shared<UnaryCall>(&server(), method_)->Wait(); }
  void OnAnswered(bool ok) { OnFinished(ok); }

  const Method* const method_;
  Responder responder_;
  grpc::ByteBuffer request_;
  absl::StatusOr<grpc::ByteBuffer> reply_;
  MemberTag<UnaryCall, &UnaryCall::OnAnswered> answered_{this};
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_UNARY_CALL_H_
