#ifndef STEPWELL_SERVER_SERVICES_CALL_HANDLERS_H_
#define STEPWELL_SERVER_SERVICES_CALL_HANDLERS_H_

#include <memory>
#include <utility>

#include "server/convert/decode.h"
#include "server/rpc/call.h"
#include "server/rpc/rpc_server.h"

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
  rpcs.AddMethod(std::move(method));
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

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_SERVICES_CALL_HANDLERS_H_
