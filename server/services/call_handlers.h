#ifndef STEPWELL_SERVER_SERVICES_CALL_HANDLERS_H_
#define STEPWELL_SERVER_SERVICES_CALL_HANDLERS_H_

#include <memory>
#include <optional>
#include <utility>

#include "server/convert/decode.h"
#include "server/rpc/bidi_stream_call.h"
#include "server/rpc/client_stream_call.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/server_stream_call.h"
#include "server/rpc/unary_call.h"

namespace stepwell::server {

// Lets `rpcs` serve one method of a generated `service`, whose requests are asked for with `request`
// (&Service::RequestStep). `handle` gets each call with its parsed request and must see to it that it is
// answered; requests that cannot be parsed are answered here.
template <typename Request, typename Service, typename Base, typename Call, typename Handle>
void AddMethod(RpcServer& rpcs, Service& service,
               void (Base::*request)(grpc::ServerContext*, grpc::ByteBuffer*, typename Call::Responder*,
                                     grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
               Handle handle) {
  typename Call::Method method;
  method.request = [&service, request](grpc::ServerContext* context, grpc::ByteBuffer* bytes,
                                       typename Call::Responder* responder,
                                       grpc::ServerCompletionQueue* queue, Tag* received) {
    (service.*request)(context, bytes, responder, queue, queue, received);
  };
  method.handler = [handle = std::move(handle)](std::shared_ptr<Call> call) {
    absl::StatusOr<Request> parsed = ParseRequest<Request>(call->request());
    if (!parsed.ok()) return call->Answer(parsed.status());
    handle(std::move(call), *std::move(parsed));
  };
  rpcs.AddMethod<Call>(std::move(method));
}

template <typename Request, typename Service, typename Base, typename Handle>
void AddUnary(RpcServer& rpcs, Service& service,
              void (Base::*request)(grpc::ServerContext*, grpc::ByteBuffer*, UnaryCall::Responder*,
                                    grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
              Handle handle) {
  AddMethod<Request, Service, Base, UnaryCall>(rpcs, service, request, std::move(handle));
}

template <typename Request, typename Service, typename Base, typename Handle>
void AddServerStream(RpcServer& rpcs, Service& service,
                     void (Base::*request)(grpc::ServerContext*, grpc::ByteBuffer*,
                                           ServerStreamCall::Responder*, grpc::CompletionQueue*,
                                           grpc::ServerCompletionQueue*, void*),
                     Handle handle) {
  AddMethod<Request, Service, Base, ServerStreamCall>(rpcs, service, request, std::move(handle));
}

// As AddMethod, for calls whose client sends a stream of requests: `handle` gets each call, and reads them
// with ReadRequest.
template <typename Call, typename Service, typename Base>
void AddRequestStream(RpcServer& rpcs, Service& service,
                      void (Base::*request)(grpc::ServerContext*, typename Call::Responder*,
                                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                      typename Call::Handler handle) {
  typename Call::Method method;
  method.request = [&service, request](grpc::ServerContext* context, typename Call::Responder* responder,
                                       grpc::ServerCompletionQueue* queue, Tag* received) {
    (service.*request)(context, responder, queue, queue, received);
  };
  method.handler = std::move(handle);
  rpcs.AddMethod<Call>(std::move(method));
}

template <typename Service, typename Base>
void AddClientStream(RpcServer& rpcs, Service& service,
                     void (Base::*request)(grpc::ServerContext*, ClientStreamCall::Responder*,
                                           grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                     ClientStreamCall::Handler handle) {
  AddRequestStream<ClientStreamCall>(rpcs, service, request, std::move(handle));
}

template <typename Service, typename Base>
void AddBidiStream(RpcServer& rpcs, Service& service,
                   void (Base::*request)(grpc::ServerContext*, BidiStreamCall::Responder*,
                                         grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                   BidiStreamCall::Handler handle) {
  AddRequestStream<BidiStreamCall>(rpcs, service, request, std::move(handle));
}

// Asks for the next request of a stream. `got` gets it parsed, as absl::StatusOr<std::optional<Request>>:
// nothing as RequestCallback says, INVALID_ARGUMENT for bytes that are none.
template <typename Request, typename Call, typename Got>
void ReadRequest(Call& call, Got got) {
  call.Read([got = std::move(got)](std::optional<grpc::ByteBuffer> bytes) mutable {
    if (!bytes.has_value()) return got(absl::StatusOr<std::optional<Request>>(std::nullopt));
    got(absl::StatusOr<std::optional<Request>>(ParseRequest<Request>(*bytes)));
  });
}

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_CALL_HANDLERS_H_
