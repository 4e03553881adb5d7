#ifndef STEPWELL_SERVER_RPC_REQUEST_READER_H_
#define STEPWELL_SERVER_RPC_REQUEST_READER_H_

#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "grpcpp/grpcpp.h"
#include "server/rpc/call.h"
#include "server/rpc/rpc_server.h"

namespace stepwell::server {

// What gets the next request of a stream: nothing when none will come any more, because the client has sent
// its last one or has gone (the call's context tells which, but may do so a little later), or the call was
// answered meanwhile. Called exactly once, on the completion-queue thread.
using RequestCallback = absl::AnyInvocable<void(std::optional<grpc::ByteBuffer>)>;

// The requests of a call whose client sends a stream of them, pulled one by one: what waits for a slow
// handler is one message, beside those few that the transport takes in advance. Part of its call; reads
// follow one another, from whatever thread.
template <typename Responder>
class RequestReader {
 public:
  RequestReader(RpcServer* server, Responder* responder) : server_(server), responder_(responder) {}

  // Asks gRPC for the next request of `call`, which this is part of.
  void Read(std::shared_ptr<Call> call, RequestCallback got) {
    call_ = std::move(call);
    got_ = std::move(got);
    responder_->Read(&message_, &read_);
    server_->RequestSoon();
  }

  // In a burst: hands over what a read came to. False when none has ended, so that it is something else that
  // the call is to handle.
  bool Deliver() {
    if (!std::exchange(ended_, false)) return false;
    const std::shared_ptr<Call> call = std::move(call_);  // This may go with it.
    RequestCallback got = std::move(got_);
    std::optional<grpc::ByteBuffer> message;
    if (has_message_) message.emplace().Swap(&message_);
    got(std::move(message));
    return true;
  }

 private:
  void OnRead(bool ok) {
    ended_ = true;
    has_message_ = ok;
    server_->HandleSoon(call_.get());
  }

  RpcServer* const server_;
  Responder* const responder_;
  grpc::ByteBuffer message_;
  RequestCallback got_;
  // While a read is under way: its event comes also after the one that says that the call is over.
  std::shared_ptr<Call> call_;
  bool ended_ = false;
  bool has_message_ = false;
  MemberTag<RequestReader, &RequestReader::OnRead> read_{this};
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_REQUEST_READER_H_
