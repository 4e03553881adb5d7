#ifndef STEPWELL_CLIENT_SRC_RPC_H_
#define STEPWELL_CLIENT_SRC_RPC_H_

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "grpcpp/client_context.h"
#include "stepwell/client/stubs.h"

namespace stepwell::client {

// A unary RPC, said once for the blocking and the asynchronous client: where it goes, what it sends, whether
// it may be repeated, and what becomes of its reply.
template <typename StubT, typename MessageT, typename ReplyT, typename TakeT>
struct Rpc {
  using Stub = StubT;
  using Reply = ReplyT;
  // absl::StatusOr of what the caller gets, or absl::Status.
  using Outcome = typename std::invoke_result_t<TakeT&, MessageT&, std::shared_ptr<ReplyT>>::value_type;

  std::unique_ptr<StubT> Stubs::*stub;
  grpc::Status (StubT::*call)(grpc::ClientContext*, const MessageT&, ReplyT*);
  void (StubT::async_interface::*start)(grpc::ClientContext*, const MessageT*, ReplyT*,
                                        std::function<void(grpc::Status)>);
  bool may_repeat;
  MessageT message;
  TakeT take;  // std::optional<Outcome>(message, reply); nothing: `message` now asks for what is missing.
};

// An RPC whose outcome may take several replies.
template <typename StubT, typename MessageT, typename ReplyT, typename TakeT>
auto MakePagedRpc(std::unique_ptr<StubT> Stubs::*stub,
                  grpc::Status (StubT::*call)(grpc::ClientContext*, const MessageT&, ReplyT*),
                  void (StubT::async_interface::*start)(grpc::ClientContext*, const MessageT*, ReplyT*,
                                                        std::function<void(grpc::Status)>),
                  bool may_repeat, std::type_identity_t<MessageT> message, TakeT take) {
  return Rpc<StubT, MessageT, ReplyT, TakeT>{stub,           call, start, may_repeat, std::move(message),
                                             std::move(take)};
}

// An RPC whose one reply becomes the outcome by `convert`.
template <typename StubT, typename MessageT, typename ReplyT, typename ConvertT>
auto MakeRpc(std::unique_ptr<StubT> Stubs::*stub,
             grpc::Status (StubT::*call)(grpc::ClientContext*, const MessageT&, ReplyT*),
             void (StubT::async_interface::*start)(grpc::ClientContext*, const MessageT*, ReplyT*,
                                                   std::function<void(grpc::Status)>),
             bool may_repeat, std::type_identity_t<MessageT> message, ConvertT convert) {
  return MakePagedRpc(stub, call, start, may_repeat, std::move(message),
                      [convert](MessageT&, std::shared_ptr<ReplyT> reply) {
                        return std::make_optional(convert(std::move(reply)));
                      });
}

}  // namespace stepwell::client

#endif  // STEPWELL_CLIENT_SRC_RPC_H_
