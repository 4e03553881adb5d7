#include "server/rpc/call.h"

#include <utility>

#include "absl/time/time.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/status.h"
#include "stepwell/base/error_info.h"

namespace stepwell::server {
namespace {

absl::Status Draining() {
  return WithErrorInfo(
      absl::UnavailableError("the server is stopping and takes no new calls; call another, or "
                             "again when it has started anew"),
      "DRAINING");
}

}  // namespace

Call::Call(RpcServer* server) : server_(server) { server_->SlotMade(); }

Call::~Call() { server_->SlotGone(started_); }

void Call::Wait() {
  self_ = shared_from_this();
  context_.AsyncNotifyWhenDone(&done_);
  Request(&context_, &request_, server_->queue(), &received_);
}

CallContext Call::context() {
  const gpr_timespec deadline = context_.raw_deadline();
  CallContext context;
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) != 0) {
    const gpr_timespec realtime = gpr_convert_clock_type(deadline, GPR_CLOCK_REALTIME);
    context.deadline = absl::FromUnixSeconds(realtime.tv_sec) + absl::Nanoseconds(realtime.tv_nsec);
  }
  context.cancelled = std::shared_ptr<const std::atomic<bool>>(shared_from_this(), &cancelled_);
  return context;
}

void Call::OnReceived(bool ok) {
  if (!ok) {  // The server shuts down: no call came, and no done event will.
    self_.reset();
    return;
  }
  started_ = server_->CallStarted();
  Renew();
  server_->HandleSoon(this);
}

void Call::OnDone(bool /*ok*/) {
  if (context_.IsCancelled()) {
    cancelled_.store(true, std::memory_order_relaxed);
    OnCancelled();
  }
  Release();
}

void Call::OnFinished(bool /*ok*/) { Release(); }

void Call::Release() {
  if (--events_due_ == 0) self_.reset();
}

void UnaryCall::Handle() {
  if (!is_started()) return Answer(Draining());
  method_->handler(std::static_pointer_cast<UnaryCall>(shared_from_this()));
}

void UnaryCall::Answer(absl::StatusOr<grpc::ByteBuffer> reply) {
  reply_ = std::move(reply);
  if (server().IsServingThread()) return server().SendSoon(this);
  Send();
}

void UnaryCall::Send() {
  if (reply_.ok()) {
    responder_.Finish(*reply_, grpc::Status::OK, &answered_);
  } else {
    responder_.FinishWithError(ToGrpcStatus(reply_.status()), &answered_);
  }
}

void ServerStreamCall::Handle() {
  if (!is_started()) return Answer(Draining());
  method_->handler(std::static_pointer_cast<ServerStreamCall>(shared_from_this()));
}

void ServerStreamCall::Answer(absl::StatusOr<Source> source) {
  if (!source.ok()) return responder_.Finish(ToGrpcStatus(source.status()), &answered_);
  source_ = *std::move(source);
  SendNext();
}

void ServerStreamCall::SendNext() {
  absl::StatusOr<std::optional<grpc::ByteBuffer>> message = source_();
  while (message.ok() && !message->has_value()) {
    if (is_cancelled()) {
      message = absl::CancelledError("the client has gone");
      break;
    }
    Pace pace = Pace::kSending;
    if (pace_.compare_exchange_strong(pace, Pace::kPaused)) return;
    // Resume was called since the source was asked, or while it was.
    pace_.store(Pace::kSending);
    message = source_();
  }
  if (!message.ok()) return responder_.Finish(ToGrpcStatus(message.status()), &answered_);
  if (!(*message)->Valid()) return responder_.Finish(grpc::Status::OK, &answered_);
  responder_.Write(**message, &written_);
}

void ServerStreamCall::Resume() {
  if (pace_.exchange(Pace::kResumed) == Pace::kPaused) SendNext();
}

void ServerStreamCall::OnWritten(bool ok) {
  if (ok) return SendNext();
  // The client has gone; its status is for the books alone.
  source_ = nullptr;
  responder_.Finish(grpc::Status::CANCELLED, &answered_);
}

}  // namespace stepwell::server
